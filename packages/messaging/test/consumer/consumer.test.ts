import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import type { Serializer } from '../../src/codec/serializer.ts'
import { Consumer } from '../../src/consumer/consumer.ts'
import { silentLogger } from '../../src/kernel/log.ts'
import type { MessagingError } from '../../src/kernel/errors.ts'
import { message } from '../../src/message/message.ts'
import { serializers } from '../../src/serializers/index.ts'
import { queue as makeQueue } from '../../src/topology/queue.ts'
import type { Link } from '../../src/transport/link.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { memory } from '../../src/transports/memory/transport.ts'

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const linkOf = (connection: Connection): Link => ({
  ambient: connection.ambient,
  codec: connection.codec,
  counters: connection.counters,
  tracing: undefined,
  publishTimeoutMs: connection.publishTimeoutMs,
  publishBuffer: connection.publishBuffer,
  openChannel: (signal) => connection.openChannel(signal),
  capabilities: () => connection.capabilities(),
  own: (part) => connection.own(part),
})

/** The memory transport, taking its time for every declaration and counting what is consumed. */
function slow(consumeMs = 0) {
  const consumed: string[] = []
  const transport: Transport = {
    ...memory,
    async connect(options) {
      const session = await memory.connect(options)
      const openChannel = session.openChannel.bind(session)
      session.openChannel = async () => {
        const channel = await openChannel()
        const { declareQueue, consume } = channel
        channel.declareQueue = async (...args) => {
          await pause(20)
          return await declareQueue.apply(channel, args)
        }
        channel.consume = async (...args) => {
          consumed.push(args[0])
          await pause(consumeMs)
          await consume.apply(channel, args)
        }
        return channel
      }
      return session
    },
  }
  const transports = { slow: { load: async () => transport, defaultPort: undefined } }
  const connection = new Connection(`slow://${Math.random()}`, { transports })
  open.push(connection)
  return { connection, consumed }
}

describe('Consumer', () => {
  it('consumes a queue once that is added while everything is set up', async () => {
    const { connection, consumed } = slow()
    const consumer = connection.consumer({ queues: ['a', 'b'], onDeliveries: () => undefined })
    const started = consumer.start()
    await pause(30)

    await consumer.addQueue('c')
    await started

    expect(consumed.toSorted()).toEqual(['a', 'b', 'c'])
  })

  it('fetches nothing when it was cancelled while it was set up', async () => {
    const { connection, consumed } = slow()
    const consumer = connection.consumer({ queues: ['a', 'b'], onDeliveries: () => undefined })
    const started = consumer.start()
    await pause(10)

    await consumer.cancel()
    await started

    expect(consumed).toEqual([])
  })

  it('consumes a queue once that was paused, removed or added again while it began', async () => {
    const { connection } = slow()
    const consumer = connection.consumer({ queues: ['a'], onDeliveries: () => undefined })
    const started = consumer.start()
    await pause(10)
    await consumer.pause()
    await consumer.resume()
    await started
    const adding = consumer.addQueue('b')
    await consumer.removeQueue('b')
    await Promise.all([adding, consumer.addQueue('b')])

    const channel = await connection.channel()
    for (const name of ['a', 'b'])
      expect(await channel.declareQueue(makeQueue(name), { passive: true })).toMatchObject({
        consumers: 1,
      })
  })

  it('ends what the broker is about to begin', async () => {
    const { connection } = slow(20)
    const consumer = connection.consumer({ queues: ['a'], onDeliveries: () => undefined })
    const started = consumer.start()
    await pause(30)
    await consumer.pause()
    await started

    const channel = await connection.channel()
    const status = async (name: string) =>
      (await channel.declareQueue(makeQueue(name), { passive: true })).consumers
    expect([await status('a'), consumer.consumesFrom('a')]).toEqual([0, false])
    await consumer.resume()
    const adding = consumer.addQueue('b')
    await pause(30)
    await consumer.removeQueue('b')
    await adding
    expect([await status('a'), await status('b')]).toEqual([1, 0])
  })

  it('goes on without a queue that was added and refused', async () => {
    const { connection } = slow()
    const other = await connection.channel()
    await other.declareQueue(makeQueue('taken', { durable: false }))
    const consumer = connection.consumer({ queues: ['a'], onDeliveries: () => undefined })
    await consumer.start()

    await expect(consumer.addQueue('taken')).rejects.toMatchObject({
      code: 'MESSAGING_DECLARATION_REFUSED',
    })

    expect(consumer.queues.map(({ name }) => name)).toEqual(['a'])
    expect(consumer.isReady).toBe(true)
  })

  it('does not start after its end', async () => {
    const connection = new Connection('memory://stopped')
    const consumer = connection.consumer({ queues: ['a'], onDeliveries: () => undefined })
    await connection.close()

    await expect(consumer.start()).rejects.toMatchObject({ code: 'MESSAGING_CONNECTION_CLOSED' })
  })

  it('ends when its connection is closed without it', async () => {
    const connection = new Connection('memory://unowned')
    const consumer = new Consumer(
      { ...linkOf(connection), own: () => () => undefined },
      { queues: ['a'], onDeliveries: () => undefined },
    )
    await consumer.start()
    const failed = consumer.signals.once('failed', AbortSignal.timeout(1000))
    await connection.close()

    expect((await failed).error.code).toBe('MESSAGING_CONNECTION_CLOSED')
  })

  for (const isLazy of [false, true])
    it(`takes up again what its receiver choked on, ${isLazy ? 'after' : 'without'} loading`, async () => {
      const lazy: Serializer = {
        ...serializers.json,
        load: () => pause(20) as Promise<void>,
      }
      const connection = new Connection(`memory://choked-${isLazy}`, {
        ambient: { log: silentLogger },
        ...(isLazy && { serializers: [lazy] }),
        accept: ['json'],
      })
      open.push(connection)
      let lost = 0
      connection.signals.on('disconnected', () => lost++)
      let attempts = 0
      const consumer = connection.consumer({
        queues: ['q'],
        onDeliveries: ([delivery]) => {
          if (++attempts === 1) throw new Error('choked')
          void delivery!.ack()
        },
      })
      await consumer.start()
      const sender = new Connection(`memory://choked-${isLazy}`)
      open.push(sender)
      await sender.producer().publish(1, { routingKey: 'q' })
      await pause(150)

      expect([attempts, lost]).toEqual([2, 0])
    })
})

describe('iterating deliveries', () => {
  it('ends when the connection is closed', async () => {
    const connection = new Connection('memory://iterate-close')
    const looping = (async () => {
      for await (const delivery of connection.consume('nothing')) await delivery.ack()
      return 'ended'
    })()
    await pause(10)

    await connection.close()

    await expect(looping).resolves.toBe('ended')
  })
})

describe('deliveries whose codec must be loaded first', () => {
  function lazy(load: () => Promise<void>): Serializer {
    return {
      name: 'lazy',
      contentType: 'application/x-lazy',
      contentEncoding: 'utf-8',
      load,
      encode: (value) => Buffer.from(String(value)),
      decode: (bytes) => Buffer.from(bytes).toString(),
    }
  }

  async function receive(load: () => Promise<void>): Promise<unknown[]> {
    const sender = new Connection('memory://lazy')
    const receiver = new Connection('memory://lazy', {
      serializers: [...Object.values(serializers), lazy(load)],
      accept: ['json', 'lazy'],
    })
    open.push(sender, receiver)
    const seen: unknown[] = []
    const consumer = receiver.consumer({
      queues: ['lazy'],
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) {
          try {
            seen.push(delivery.value)
          } catch (error) {
            seen.push((error as MessagingError).code)
          }
          void delivery.ack()
        }
      },
    })
    await consumer.start()
    const producer = sender.producer({ routingKey: 'lazy' })
    await producer.publish(1)
    await producer.publishMessage({
      exchange: '',
      routingKey: 'lazy',
      message: message(Buffer.from('two'), { contentType: 'application/x-lazy' }),
    })
    await producer.publish(3)
    await pause(60)
    await producer.publish(4)
    await pause(20)
    return seen
  }

  it('come in their order, with what followed them', async () => {
    expect(await receive(async () => void (await pause(40)))).toEqual([1, 'two', 3, 4])
  })

  it('are not lost when it cannot be loaded', async () => {
    const missing = async (): Promise<void> => {
      await pause(10)
      throw new Error('not installed')
    }
    expect(await receive(missing)).toEqual([1, 'MESSAGING_PACKAGE_MISSING', 3, 4])
  })
})

describe('a paused consumer', () => {
  it('fetches nothing, also from queues added meanwhile, until it resumes', async () => {
    const connection = new Connection('memory://paused')
    open.push(connection)
    const producer = connection.producer()
    const seen: unknown[] = []
    const consumer = connection.consumer({
      queues: ['one'],
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) {
          seen.push(delivery.value)
          void delivery.ack()
        }
      },
    })
    await consumer.start()
    await consumer.pause()
    await consumer.addQueue('two')
    await producer.publish(1, { routingKey: 'one' })
    await producer.publish(2, { routingKey: 'two' })
    await pause(20)

    expect([seen, consumer.isPaused, consumer.isReady, consumer.consumesFrom('one')]).toEqual([
      [],
      true,
      false,
      false,
    ])
    await consumer.resume()
    await pause(20)

    expect(new Set(seen)).toEqual(new Set([1, 2]))
    expect([consumer.isReady, consumer.consumesFrom('two')]).toEqual([true, true])
  })

  it('purges and recovers', async () => {
    const connection = new Connection('memory://recover')
    open.push(connection)
    const producer = connection.producer({ routingKey: 'q' })
    const attempts: boolean[] = []
    const consumer = connection.consumer({
      queues: ['q'],
      prefetch: 1,
      onDeliveries: ([delivery]) => attempts.push(delivery!.origin.redelivered),
    })
    await consumer.start()
    await producer.publish(1)
    await producer.publish(2)
    await pause(20)

    expect(await consumer.purge()).toBe(1)
    await consumer.recover()
    await pause(20)

    expect(attempts.length).toBe(2)
  })
})

describe('what is accepted', () => {
  it('can differ from consumer to consumer', async () => {
    const connection = new Connection('memory://accepting')
    open.push(connection)
    await connection.producer().publish({ a: 1 }, { routingKey: 'yaml', serializer: 'yaml' })
    await connection.producer().publish({ a: 2 }, { routingKey: 'yaml', serializer: 'yaml' })

    for await (const delivery of connection.consume('yaml', { limit: 1, prefetch: 1 })) {
      expect(() => delivery.value).toThrow(
        expect.objectContaining({ code: 'MESSAGING_CONTENT_DISALLOWED' }),
      )
      await delivery.ack()
    }
    for await (const delivery of connection.consume('yaml', { limit: 1, accept: ['yaml'] })) {
      expect(delivery.value).toEqual({ a: 2 })
      await delivery.ack()
    }
  })
})

describe('a connection', () => {
  it('counts what is done over it', async () => {
    const connection = new Connection('memory://counted')
    open.push(connection)
    const counted: string[] = []
    connection.signals.on('counted', ({ what, count }) => counted.push(`${what} ${count}`))
    const producer = connection.producer({ routingKey: 'q' })
    await Promise.all([producer.publish(1), producer.publish(2), producer.publish(3)])
    const unroutable = producer.publish(4, { routingKey: 'nowhere', mandatory: true })
    await expect(unroutable).rejects.toMatchObject({ code: 'MESSAGING_UNROUTABLE' })

    const outcomes = ['ack', 'drop', 'requeue', 'ack'] as const
    let at = 0
    for await (const delivery of connection.consume('q', { limit: 4, prefetch: 1 }))
      await delivery.settle(outcomes[at++]!)

    expect(connection.counts).toEqual({
      published: 3,
      unpublished: 1,
      delivered: 4,
      redelivered: 1,
      acked: 2,
      requeued: 1,
      dropped: 1,
      reconnected: 0,
    })
    expect(counted.slice(0, 2)).toEqual(['published 3', 'unpublished 1'])
  })

  it('counts no settlement that its broker cannot do', async () => {
    const transport: Transport = {
      ...memory,
      connect: async (options) => {
        const session = await memory.connect(options)
        Object.assign(session, { capabilities: { ...memory.capabilities, delay: false } })
        return session
      },
    }
    const transports = { m: { load: async () => transport, defaultPort: undefined } }
    const connection = new Connection('m://no-delay', { transports })
    open.push(connection)
    await connection.producer().publish(1, { routingKey: 'q' })

    for await (const delivery of connection.consume('q', { limit: 1 })) {
      await expect(delivery.settle({ delayUntilMs: Date.now() })).rejects.toMatchObject({
        code: 'MESSAGING_NOT_SUPPORTED',
      })
      await delivery.ack()
    }

    expect(connection.counts).toMatchObject({ acked: 1, requeued: 0 })
  })
})
