// RabbitMQ 4.3, as far as an older one behind a strict proxy can be it: what we declare and ask for by
// default is allowed there, and what is not gets an error that says what to do.
import { Connection, exchange, queue, silentLogger, type MessagingError } from '@celeriac/messaging'
import { Inbox, StrictAmqpProxy, type StrictAmqpOptions } from '@celeriac/messaging/testing'
import { afterEach, expect, it } from '@jest/globals'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { Ledger } from '../fixtures/ledger.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function setup(options: StrictAmqpOptions = {}) {
  const proxy = await StrictAmqpProxy.to(urlOf('rabbitmq'), options)
  cleanups.push(() => proxy.close())
  const connect = (): Connection => {
    const connection = new Connection(proxy.through(urlOf('rabbitmq')), {
      ambient: { log: silentLogger },
    })
    cleanups.push(() => connection.close())
    return connection
  }
  return { proxy, connect, connection: connect() }
}

describeWith('rabbitmq', 'a broker as strict as RabbitMQ 4.3', () => {
  it('takes what is declared by default, over ten lost links', async () => {
    const { proxy, connection } = await setup()
    const [name, fan] = [uniqueName('strict'), exchange(uniqueName('fan'), { type: 'fanout' })]
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [
        queue(name, { bindings: [{ exchange: exchange(name, { type: 'topic' }) }] }),
        // As Kombu's Broadcast, and one the broker names.
        queue(uniqueName('bcast'), { exclusive: true, bindings: [{ exchange: fan }] }),
        queue('', { exclusive: true, durable: false, bindings: [{ exchange: fan }] }),
      ],
      prefetch: 4,
      onDeliveries: inbox.onDeliveries,
    })
    const box = connection.mailbox(uniqueName('box'), { type: 'fanout' })
    const node = box.node('n1')
    node.handle?.('ping', () => 'pong')
    const buffer = connection.simpleBuffer(uniqueName('buffer'))
    const simple = connection.simpleQueue(uniqueName('simple'))
    await consumer.start()
    await node.start()
    expect(connection.server).toBe('RabbitMQ 4.3.0')

    for (let round = 0; round <= 10; round++) {
      const seen = inbox.deliveries.length
      const producer = connection.producer()
      await producer.publish(round, { exchange: name, routingKey: name })
      await producer.publish(round, { exchange: fan.name })
      await inbox.atLeast(seen + 3)
      for (const one of inbox.deliveries.slice(seen)) await one.ack()
      await simple.put(round)
      await (await simple.get({ timeout: 5 }))!.ack()
      await buffer.put(round)
      expect((await buffer.get({ timeout: 5 }))!.value).toBe(round)
      expect(await box.call('ping', {}, { timeout: 2, limit: 1 })).toEqual([
        { node: 'n1', value: 'pong' },
      ])
      await producer.close()
      if (round === 10) break
      const again = consumer.signals.once('ready', AbortSignal.timeout(5000))
      proxy.breakAll()
      await again
      await until('the mailbox is back', () => node.isReady)
    }

    expect(proxy.refusals).toEqual([])
    await connection.withChannel(async (channel) => {
      await channel.removeQueue(name)
      await channel.removeQueue(simple.queue.name)
      for (const one of [name, fan.name, simple.queue.name]) await channel.removeExchange(one)
    })
  })

  it('refuses a queue that is neither durable nor exclusive, and we say what to do', async () => {
    const { proxy, connection, connect } = await setup()
    const transient = queue(uniqueName('transient'), { durable: false })
    const declare = () => connection.withChannel((channel) => channel.declareQueue(transient))

    const error: unknown = await declare().catch((thrown: unknown) => thrown)

    expect(error).toMatchObject({ code: 'MESSAGING_DECLARATION_REFUSED', fault: 'channel' })
    expect((error as MessagingError).message).toMatch(/durable.*expiresMs.*exclusive/)
    expect(proxy.refusals).toHaveLength(1)
    // The link of others is not ended a second time to hear the same.
    await connection.connect()
    await expect(declare()).rejects.toMatchObject({ code: 'MESSAGING_DECLARATION_REFUSED' })
    const consumer = connect().consumer({ queues: [transient], onDeliveries: () => undefined })
    await expect(consumer.start()).rejects.toMatchObject({ code: 'MESSAGING_DECLARATION_REFUSED' })
    const producer = connect().producer()
    await expect(
      producer.publish(1, { routingKey: transient.name, declare: [transient] }),
    ).rejects.toMatchObject({ code: 'MESSAGING_DECLARATION_REFUSED' })
    expect(proxy.refusals).toHaveLength(1)
  })

  it.each([
    ['refuses a window of a channel without saying its version', 'refuse'],
    ['takes it for one of each consumer without a word', 'downgrade'],
  ] as const)('%s, and the window holds', async (_, globalQos) => {
    const { proxy, connection } = await setup({ globalQos, version: false })
    const names = [uniqueName('window'), uniqueName('window')]
    const channel = await connection.channel()
    const inbox = new Inbox()
    for (const name of names) await channel.declareQueue(queue(name))
    await channel.publish(
      [...names, ...names, ...names].map((routingKey) => ({
        exchange: '',
        routingKey,
        message: { body: Buffer.from('"x"'), headers: {}, properties: {} },
      })),
    )
    const consumer = connection.consumer({
      queues: names,
      prefetch: 2,
      onDeliveries: inbox.onDeliveries,
    })

    await consumer.start()
    await inbox.atLeast(2)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(inbox.deliveries).toHaveLength(2)
    for (let i = 0; i < 6; i++) await (await inbox.atLeast(i + 1))[i]!.ack()

    expect(proxy.refusals).toHaveLength(globalQos === 'refuse' ? 1 : 0)
    await consumer.stop()
    await connection.withChannel(async (own) => {
      for (const name of names) expect(await own.removeQueue(name)).toBe(0)
    })
  })

  it('takes a worker as it is, over ten lost links', async () => {
    const { proxy } = await setup()
    const name = uniqueName('strict-worker')
    const broker = proxy.through(urlOf('rabbitmq'))
    const ledger = new Ledger()
    const worker = await OurWorker.start({ broker, queue: name })
    const app = quietApp({ broker, taskDefaultQueue: name })
    try {
      const mark = app.remote<(...args: unknown[]) => unknown>('js.mark')
      for (let round = 0; round <= 10; round++) {
        const id = `round-${round}`
        await mark.applyAsync([ledger.file, id, 0, id], { taskId: id })
        await until('the task has run', () => ledger.ends().has(id))
        if (round === 10) break
        const ready = worker.rows('consumerReady').length
        proxy.breakAll()
        await until('it consumes again', () => worker.rows('consumerReady').length > ready)
      }
      expect(proxy.refusals).toEqual([])
    } finally {
      await worker.kill9()
      await app.close()
      ledger.dispose()
      await removeQueues(urlOf('rabbitmq'), [name])
    }
  })
})
