// Messages that RabbitMQ holds until their time: to every type of exchange, over restarts, again and again.
import {
  Connection,
  DelayLadder,
  exchange,
  queue,
  silentLogger,
  type ConnectionOptions,
  type Delivery,
  type Queue,
} from '@celeriac/messaging'
import { Inbox } from '@celeriac/messaging/testing'
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { until } from '../fixtures/waiting.ts'
import {
  describeWith,
  pythonPath,
  startPrivateRabbit,
  type ControlledRabbit,
} from '../services/brokers.ts'

const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const open: Connection[] = []
const ladder = new DelayLadder()

const run = promisify(execFile)
const kombu = `
import sys
from kombu import Connection, Exchange, Queue
from kombu.transport import native_delayed_delivery as ladder
with Connection(sys.argv[1]) as c:
    ladder.declare_native_delayed_delivery_exchanges_and_queues(c, 'quorum')
    q = Queue('shared', Exchange('shared', type='topic'), routing_key='shared',
              queue_arguments={'x-queue-type': 'quorum'})
    q.bind(c.default_channel).declare()
    ladder.bind_queue_to_native_delayed_delivery_exchange(c, q)
    c.Producer().publish('from Kombu', exchange='celery_delayed_27', serializer='json',
                         routing_key=ladder.calculate_routing_key(2, 'shared'))
`

let rabbit: ControlledRabbit

function connect(options: ConnectionOptions = {}): Connection {
  const connection = new Connection(rabbit.url, {
    ambient: { log: silentLogger },
    publishTimeout: 30,
    ...options,
  })
  open.push(connection)
  return connection
}

/** Consumes a queue that delayed messages are to find, and notes when each came. */
async function receive(connection: Connection, declared: Queue) {
  const came = new Map<unknown, number>()
  const inbox = new Inbox()
  const consumer = connection.consumer({
    queues: [declared],
    prefetch: 0,
    onDeliveries: (deliveries) => {
      for (const delivery of deliveries) {
        came.set(delivery.value, Date.now())
        delivery.ack().catch(() => undefined)
      }
      inbox.onDeliveries(deliveries)
    },
  })
  await consumer.start()
  await connection.withChannel((channel) => ladder.bind(channel, declared))
  return { came, inbox }
}

describeWith('rabbitmq', 'delayed messages on RabbitMQ', () => {
  beforeAll(async () => {
    rabbit = await startPrivateRabbit()
    const connection = connect()
    await connection.withChannel((channel) => ladder.declare(channel))
    await connection.close()
  }, 120_000)

  afterEach(async () => {
    await Promise.all(open.splice(0).map((connection) => connection.close()))
  })

  afterAll(async () => {
    await rabbit?.dispose()
  })

  it.each([
    ['topic', 'tasks.#', 'tasks.high', {}],
    ['direct', 'tasks.high', 'tasks.high', {}],
    ['fanout', '', 'whatever', {}],
    ['headers', '', '', { 'x-match': 'all', colour: 'red' }],
  ] as const)(
    'come through a %s exchange, not before their time',
    async (type, bound, key, args) => {
      const connection = connect()
      const from = exchange(`delayed-${type}`, { type })
      const other = exchange(`other-${type}`, { type })
      const strays = await receive(
        connection,
        queue(`stray-${type}`, {
          bindings: [{ exchange: other, routingKey: bound, arguments: args }],
        }),
      )
      const { came, inbox } = await receive(
        connection,
        queue(`delayed-${type}`, {
          type: 'quorum',
          bindings: [{ exchange: from, routingKey: bound, arguments: args }],
        }),
      )
      const producer = connection.producer({ exchange: from, routingKey: key })
      const headers = { colour: 'red' }
      const due = new Map<number, number>()

      for (const seconds of [0, 0.3, 1, 2]) {
        due.set(seconds, Date.now() + seconds * 1000)
        await producer.publish(seconds, { delay: seconds, headers, expiration: 60 })
      }
      await inbox.atLeast(4)

      for (const [seconds, atMs] of due) {
        expect(came.get(seconds)).toBeGreaterThanOrEqual(atMs)
        expect(came.get(seconds)! - atMs).toBeLessThan(seconds === 0.3 ? 2000 : 1500)
      }
      const { origin } = inbox.deliveries.at(-1)!
      expect(origin.routingKey).toBe(key)
      expect(origin.exchange).toBe(type === 'topic' ? ladder.exit : from.name)
      // A topic's key alone says where to, as with Kombu; all others name their exchange.
      expect(strays.inbox.deliveries).toHaveLength(type === 'topic' ? 3 : 0)
    },
  )

  describeWith('python', 'beside Kombu', () => {
    it('share its ladder, in both directions', async () => {
      const connection = connect()
      const from = exchange('shared', { type: 'topic' })
      const declared = queue('shared', { type: 'quorum', bindings: [{ exchange: from }] })
      // Kombu finds our ladder as it would have made it, binds its queue, and sends.
      await run(pythonPath(), ['-c', kombu, rabbit.url], { timeout: 30_000 })
      const inbox = new Inbox()
      const consumer = connection.consumer({
        queues: [declared],
        onDeliveries: inbox.onDeliveries,
      })
      await consumer.start()

      const sent = { exchange: from, routingKey: 'shared', delay: 1 }
      await connection.producer().publish('from us', sent)
      await inbox.atLeast(2)

      const values = new Set(inbox.deliveries.map(({ value }) => value))
      expect(values).toEqual(new Set(['from Kombu', 'from us']))
      expect(inbox.deliveries.map(({ origin }) => origin.routingKey)).toEqual(['shared', 'shared'])
      for (const delivery of inbox.deliveries) await delivery.ack()
    })
  })

  it('need no more than the name of a queue', async () => {
    const connection = connect()
    const { came, inbox } = await receive(connection, queue('plain.queue#'))
    const dueMs = Date.now() + 2000

    const report = await connection
      .producer()
      .sendMany([1, 2, 3], { routingKey: 'plain.queue#', delay: 2 })
    await inbox.atLeast(3)

    expect(report.failures.size).toBe(0)
    expect(Math.min(...came.values())).toBeGreaterThanOrEqual(dueMs)
    expect(inbox.deliveries[0]!.origin).toMatchObject({ exchange: '', routingKey: 'plain.queue#' })
  })

  it('are refused where they could not come back, with what to do', async () => {
    const producer = connect().producer()
    const code = (work: Promise<void>) => work.catch((error: unknown) => error)

    expect(await code(producer.publish(1, { routingKey: 'nobody', delay: 1 }))).toMatchObject({
      code: 'MESSAGING_PUBLISH_REFUSED',
    })
    expect(
      await code(producer.publish(1, { exchange: 'delayed-x', routingKey: 'k', delay: 1 })),
    ).toMatchObject({ code: 'MESSAGING_OPTION_INVALID', message: expect.stringMatching(/type/) })
    expect(
      await code(producer.publish(1, { routingKey: 'k'.repeat(210), delay: 1 })),
    ).toMatchObject({ code: 'MESSAGING_TOO_LARGE' })
    expect(await code(producer.publish(1, { routingKey: 'k', delay: 2 ** 28 }))).toMatchObject({
      code: 'MESSAGING_OPTION_INVALID',
    })
    expect(await code(producer.publish(1, { routingKey: 'k', delay: -1 }))).toMatchObject({
      code: 'MESSAGING_OPTION_INVALID',
    })
  })

  it('declare their ladder when it is missing, of the type that is asked for', async () => {
    const connection = connect({
      transportOptions: { delayQueueType: 'classic', delayPrefix: 'classic' },
    })
    const { inbox } = await receive(connection, queue('of-classic'))

    await connection.producer().publish(1, { routingKey: 'of-classic', delay: 1 })
    await inbox.atLeast(1)

    // A ladder that somebody removes is made again.
    const { entrance } = new DelayLadder({ prefix: 'classic' })
    await connection.withChannel((channel) => channel.removeExchange(entrance))
    await connection.producer().publish(2, { routingKey: 'of-classic', delay: 1 })
    await inbox.atLeast(2)
    expect(inbox.deliveries[0]!.message.headers['x-first-death-queue']).toBe(
      'classic_celery_delayed_0',
    )
    expect(inbox.deliveries[0]!.origin.routingKey).toBe('of-classic')
    const other = connect({ transportOptions: { delayQueueType: 'fast' } })
    await expect(other.connect()).rejects.toMatchObject({ code: 'MESSAGING_OPTION_INVALID' })
  })

  it('survive a killed broker, each once', async () => {
    const connection = connect()
    const declared = queue('killed', {
      type: 'quorum',
      bindings: [{ exchange: exchange('killed', { type: 'topic' }) }],
    })
    const { came, inbox } = await receive(connection, declared)
    const values = Array.from({ length: 100 }, (_, i) => i)
    const dueMs = Date.now() + 8000

    const { failures } = await connection
      .producer({ exchange: declared.bindings[0]!.exchange, routingKey: 'killed' })
      .sendMany(values, { delay: 8 })
    expect(failures.size).toBe(0)
    // RabbitMQ 3.10 never wakes a quorum queue that was made within the last five seconds before a kill.
    await new Promise((resolve) => setTimeout(resolve, 6000))
    await rabbit.kill9()
    await rabbit.start()
    await inbox.atLeast(values.length, 40_000)
    await new Promise((resolve) => setTimeout(resolve, 1500))

    expect(Math.min(...came.values())).toBeGreaterThanOrEqual(dueMs)
    const got = inbox.deliveries.map(({ value }) => Number(value))
    expect(got.toSorted((a, b) => a - b)).toEqual(values)
  })

  const [tasks, rounds] = isLong ? [1000, 10] : [100, 3]
  it(`come back ${rounds} times in a row, all ${tasks} of them`, async () => {
    const connection = connect()
    const from = exchange('rounds', { type: 'topic' })
    const declared = queue('rounds', { type: 'quorum', bindings: [{ exchange: from }] })
    const producer = connection.producer({ exchange: from, routingKey: 'rounds' })
    const done = new Map<number, number>()
    let early = 0
    const again = async (delivery: Delivery): Promise<void> => {
      const { id, round, dueMs } = delivery.value as { id: number; round: number; dueMs: number }
      if (Date.now() < dueMs) early++
      done.set(id * 100 + round, (done.get(id * 100 + round) ?? 0) + 1)
      if (round < rounds) {
        const next = { id, round: round + 1, dueMs: Date.now() + 1000 }
        // With everything it came with, as a retry is sent.
        const { headers } = delivery.message
        await producer.publish(next, { headers, delay: 1, routingKey: delivery.origin.routingKey })
      }
      await delivery.ack()
    }
    const consumer = connection.consumer({
      queues: [declared],
      prefetch: 50,
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) again(delivery).catch(() => undefined)
      },
    })
    await consumer.start()
    await connection.withChannel((channel) => ladder.bind(channel, declared))

    const first = Array.from({ length: tasks }, (_, id) => ({
      id,
      round: 1,
      dueMs: Date.now() + 1000,
    }))
    await producer.sendMany(first, { delay: 1 })
    await until('every one has come in every round', () => done.size === tasks * rounds, {
      timeoutMs: 100_000,
      detail: () => `${done.size} of ${tasks * rounds}`,
    })

    expect([...done.values()].filter((times) => times > 1)).toEqual([])
    expect(early).toBe(0)
  }, 120_000)
})
