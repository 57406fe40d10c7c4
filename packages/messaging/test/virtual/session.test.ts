// What a session survives: foreign headers, unreadable texts, a link that breaks in the middle of a batch.
import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import { silentLogger } from '../../src/kernel/log.ts'
import { MessagingError } from '../../src/kernel/errors.ts'
import { message } from '../../src/message/message.ts'
import { exchange } from '../../src/topology/exchange.ts'
import { queue } from '../../src/topology/queue.ts'
import { MemoryBroker } from '../../src/transports/memory/broker.ts'
import { MemoryStore } from '../../src/transports/memory/store.ts'
import { capabilities } from '../../src/transports/memory/transport.ts'
import type { MessageStore } from '../../src/virtual/store.ts'
import { parkedQueue } from '../../src/virtual/store.ts'
import { virtualTransport } from '../../src/virtual/transport.ts'

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

/** A connection to a memory store that was changed by the test. */
function setup(change: (store: MemoryStore) => void = () => undefined) {
  const broker = new MemoryBroker()
  const transport = virtualTransport({
    name: 'changed',
    capabilities,
    async open(_, context): Promise<MessageStore> {
      const store = new MemoryStore(broker, context)
      change(store)
      return store
    },
  })
  const transports = { x: { load: async () => transport, defaultPort: undefined } }
  const connection = new Connection('x://', { transports, ambient: { log: silentLogger } })
  open.push(connection)
  return { connection, broker }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('a session', () => {
  for (const deaths of [[null], [1, 'two'], [{ queue: 'q', reason: 'rejected', count: {} }]])
    it(`buries a message that came with ${JSON.stringify(deaths)} for its deaths`, async () => {
      const { connection } = setup()
      const channel = await connection.channel()
      await channel.declareQueue(
        queue('q', { deadLetterExchange: '', deadLetterRoutingKey: 'dead' }),
      )
      await connection
        .producer()
        .publish(1, { routingKey: 'q', headers: { 'x-death': deaths as never } })

      await (await channel.get('q'))!.drop()

      const [death] = (await channel.get('dead'))!.message.headers['x-death'] as { count: number }[]
      expect(death).toMatchObject({ queue: 'q', reason: 'rejected', count: 1 })
    })

  it('keeps what was crowded out again after somebody had refused it', async () => {
    const { connection } = setup()
    const channel = await connection.channel()
    await channel.declareQueue(
      queue('narrow', { maxLength: 1, deadLetterExchange: '', deadLetterRoutingKey: 'dead' }),
    )
    const publish = (reasons: readonly string[]) =>
      connection.producer().publish('old', {
        routingKey: 'narrow',
        headers: {
          'x-death': reasons.map((reason) => ({
            queue: reason === 'maxlen' ? 'narrow' : 'elsewhere',
            reason,
            count: 1,
          })),
        },
      })
    for (const reasons of [['rejected', 'maxlen'], ['expired', 'maxlen'], []])
      await publish(reasons)
    await pause(30)

    const dead = await channel.get('dead')
    expect(dead!.message.headers['x-death']).toMatchObject([
      { reason: 'maxlen', count: 2 },
      { reason: 'rejected' },
    ])
    expect(await channel.get('dead')).toBeUndefined()
  })

  it('finds a message in its queue again that could not be buried', async () => {
    const full = new MessagingError('MESSAGING_PUBLISH_REFUSED', 'message', 'the disk is full')
    let isFull = false
    const { connection } = setup((store) => {
      const { push } = store
      store.push = (batch) => (isFull ? Promise.reject(full) : push.call(store, batch))
    })
    const channel = await connection.channel()
    await channel.declareQueue(queue('q', { deadLetterExchange: '', deadLetterRoutingKey: 'dead' }))
    await connection.producer().publish(1, { routingKey: 'q' })
    const delivery = await channel.get('q')
    isFull = true

    await expect(delivery!.drop()).rejects.toBe(full)

    expect(await channel.get('q')).toBeDefined()
  })

  it('has no consumers left when its link is lost', async () => {
    let endings = 0
    const { connection, broker } = setup((store) => {
      const { tick } = store
      store.tick = async () => {
        if (++endings === 2) throw new Error('no lease')
        return await tick.call(store)
      }
    })
    const channel = await connection.channel()
    await channel.declareQueue(queue('q'))
    await channel.consume('q', { tag: 't' }, () => undefined)
    const lost = connection.signals.once('disconnected')
    await connection.producer().publish(1, { routingKey: 'other', delay: 0.03 })
    await lost
    await pause(5)

    expect(broker.find('q')!.consumers).toBe(0)
  })

  it('parks what expired and cannot be read, and lives', async () => {
    const { connection } = setup()
    let lost = 0
    connection.signals.on('disconnected', () => lost++)
    const broken = setup((store) => {
      const { tick } = store
      let first = true
      store.tick = async () => {
        const result = await tick.call(store)
        if (!first) return result
        first = false
        return { ...result, expired: [{ receipt: 'r', queue: 'q', text: 'no envelope' }] }
      }
    })
    broken.connection.signals.on('disconnected', () => lost++)
    const channel = await broken.connection.channel()
    await pause(20)

    expect(await channel.declareQueue(queue(parkedQueue), { passive: true })).toMatchObject({
      messages: 1,
    })
    expect(lost).toBe(0)
  })

  it('leaves no rejection behind when a batch with a broadcast breaks', async () => {
    const lost = new MessagingError('MESSAGING_CONNECTION_LOST', 'connection', 'pulled')
    const unhandled: unknown[] = []
    const listener = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', listener)
    const { connection } = setup((store) => {
      Object.assign(store, {
        broadcast: {
          publish: () => Promise.reject(lost),
          subscribe: async () => async () => undefined,
        },
        push: async () => {
          await pause(5)
          throw lost
        },
      })
    })
    const channel = await connection.channel()
    await channel.declareExchange(exchange('all', { type: 'fanout' }))
    const publication = { routingKey: 'q', message: message('m') }

    await expect(
      channel.publish([
        { ...publication, exchange: 'all' },
        { ...publication, exchange: '' },
      ]),
    ).rejects.toThrow('pulled')
    await pause(20)
    process.off('unhandledRejection', listener)

    expect(unhandled).toEqual([])
  })

  it('lets nobody else consume what one consumes exclusively, until that ends', async () => {
    const { connection } = setup()
    const [one, other] = [await connection.channel(), await connection.channel()]
    await one.declareQueue(queue('q'))
    await one.consume('q', { tag: 'a', exclusive: true }, () => undefined)

    await expect(other.consume('q', { tag: 'b' }, () => undefined)).rejects.toMatchObject({
      code: 'MESSAGING_DECLARATION_REFUSED',
    })

    await one.cancel('a')
    await expect(other.consume('q', { tag: 'b' }, () => undefined)).resolves.toBeUndefined()
  })

  it('counts consumers that begin together, and none that was cancelled while it began', async () => {
    const { connection } = setup((store) => {
      const { join } = store
      store.join = async (name) => {
        await pause(10)
        await join.call(store, name)
      }
      Object.assign(store, { consumers: undefined })
    })
    const channel = await connection.channel()
    await channel.declareQueue(queue('q'))
    const consumers = async () =>
      (await channel.declareQueue(queue('q'), { passive: true })).consumers
    const consume = (tag: string) => channel.consume('q', { tag }, () => undefined)
    await Promise.all([consume('a'), consume('b')])
    expect(await consumers()).toBe(2)

    const beginning = consume('c')
    await channel.cancel('c')
    await beginning

    expect(await consumers()).toBe(2)
  })
})
