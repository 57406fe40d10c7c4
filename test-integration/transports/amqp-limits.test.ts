// Where RabbitMQ says no: messages that are too large, deliveries held too long, memory that is short, and a
// broker that does not answer. Each on a node of its own, whose limits are low.
import {
  Connection,
  message,
  MessagingError,
  queue,
  silentLogger,
  type ConnectionOptions,
  type Delivery,
} from '@celeriac/messaging'
import { Inbox, StrictAmqpProxy } from '@celeriac/messaging/testing'
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { runInNewContext } from 'node:vm'
import { freePort } from '../../scripts/services/index.mjs'
import { until } from '../fixtures/waiting.ts'
import {
  describeWith,
  startPrivateRabbit,
  uniqueName,
  type ControlledRabbit,
} from '../services/brokers.ts'

const open: Connection[] = []
let rabbit: ControlledRabbit

function connect(options: ConnectionOptions = {}, url = rabbit.url): Connection {
  const connection = new Connection(url, { ambient: { log: silentLogger }, ...options })
  open.push(connection)
  return connection
}

async function failure(work: Promise<unknown>): Promise<MessagingError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (MessagingError.is(error)) return error
  throw new Error(`expected a MessagingError, got ${String(error)}`)
}

const kilobytes = (count: number): Uint8Array => new Uint8Array(count * 1024)

describeWith('rabbitmq', 'the limits of RabbitMQ', () => {
  beforeAll(async () => {
    rabbit = await startPrivateRabbit({
      config: ['max_message_size = 102400', 'consumer_timeout = 3000', 'channel_max = 12'],
    })
    // How often it looks, which no file of settings knows in this version.
    await rabbit.ctl('eval', 'application:set_env(rabbit, channel_tick_interval, 1000).')
  }, 60_000)

  afterEach(async () => {
    await Promise.all(open.splice(0).map((connection) => connection.close()))
  })

  afterAll(async () => {
    await rabbit?.dispose()
  })

  it('refuses a body that is too large at once, and delivers all others', async () => {
    const connection = connect()
    const name = uniqueName('large')
    await connection.withChannel((channel) => channel.declareQueue(queue(name)))
    const producer = connection.producer({ routingKey: name, serializer: 'raw' })
    const sizes = [1, 200, 1, 99, 101, 1]
    const started = performance.now()

    const { failures } = await producer.sendMany(sizes.map(kilobytes))
    const alone = await failure(producer.publish(kilobytes(500)))
    await producer.publish(kilobytes(1))

    expect([...failures].map(([at, { code }]) => [at, code])).toEqual([
      [1, 'MESSAGING_TOO_LARGE'],
      [4, 'MESSAGING_TOO_LARGE'],
    ])
    expect([alone.code, alone.fault]).toEqual(['MESSAGING_TOO_LARGE', 'message'])
    expect(alone.message).toMatch(/512000 bytes.*102400/)
    expect(performance.now() - started).toBeLessThan(4000)
    await connection.withChannel(async (channel) => {
      const got: number[] = []
      for (let next = await channel.get(name); next; next = await channel.get(name)) {
        got.push(next.message.body.length / 1024)
        await next.ack()
      }
      // What was under way when the broker ended the channel may have been stored already.
      expect(new Set(got)).toEqual(new Set([1, 99]))
      expect(got.length).toBeGreaterThanOrEqual(5)
      await channel.removeQueue(name)
    })
  })

  it('refuses headers that are longer than a frame, and only these', async () => {
    const connection = connect({ transportOptions: { frameMax: 8192 } })
    const name = uniqueName('frames')
    const channel = await connection.channel()
    await channel.declareQueue(queue(name))
    const send = (bytes: number) => ({
      exchange: '',
      routingKey: name,
      message: message('x', {}, { long: 'ü'.repeat(bytes / 2), list: [{ a: 1 }] }),
    })

    const failures = await channel.publish([send(8000), send(9000), send(60_000), send(2)])

    expect([...(failures ?? [])].map(([at, { code }]) => [at, code])).toEqual([
      [1, 'MESSAGING_TOO_LARGE'],
      [2, 'MESSAGING_TOO_LARGE'],
    ])
    expect(channel.isOpen).toBe(true)
    expect(await channel.removeQueue(name)).toBe(2)
  })

  it('refuses a message in the name of another user, and delivers those beside it', async () => {
    const connection = connect()
    const name = uniqueName('users')
    await connection.withChannel((channel) => channel.declareQueue(queue(name)))
    const producer = connection.producer({ routingKey: name })

    const outcomes = await Promise.allSettled([
      producer.publish(1, { userId: 'guest' }),
      producer.publish(2, { userId: 'somebody' }),
      producer.publish(3),
    ])

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((outcomes[1] as PromiseRejectedResult).reason).toMatchObject({
      code: 'MESSAGING_PUBLISH_REFUSED',
      fault: 'message',
      message: expect.stringMatching(/user_id.*somebody/) as unknown,
    })
    await connection.withChannel((channel) => channel.removeQueue(name))
  })

  it('says when all channels of a link are in use, and goes on when one is free', async () => {
    const connection = connect()
    const channels = []
    for (let i = 0; i < 12; i++) channels.push(await connection.channel())

    const error = await failure(connection.channel())

    expect(error.code).toBe('MESSAGING_POOL_EXHAUSTED')
    expect(error.message).toMatch(/all 12 channels/)
    await channels[3]!.close()
    expect((await connection.channel()).isOpen).toBe(true)
    expect(channels[11]!.isOpen).toBe(true)
  })

  it('goes on when a delivery was held for too long, and leaves other consumers alone', async () => {
    const connection = connect()
    const [held, other] = [uniqueName('held'), uniqueName('other')]
    const slow = new Inbox()
    const fast = new Inbox()
    const consume = (name: string, inbox: Inbox) =>
      connection.consumer({ queues: [name], prefetch: 1, onDeliveries: inbox.onDeliveries })
    const holder = consume(held, slow)
    const neighbour = consume(other, fast)
    const interrupted: string[] = []
    neighbour.signals.on('interrupted', () => interrupted.push('neighbour'))
    await holder.start()
    await neighbour.start()
    const producer = connection.producer()
    await producer.publish('long', { routingKey: held })
    await slow.atLeast(1)

    const lost = holder.signals.once('interrupted', AbortSignal.timeout(20_000))
    const back = holder.signals.once('ready', AbortSignal.timeout(20_000))
    const { error } = await lost
    const lostAtMs = performance.now()
    await back
    await slow.atLeast(2)
    const againMs = performance.now() - lostAtMs

    expect(error.message).toMatch(/delivery acknowledgement.*timed out/)
    expect(error.fault).toBe('channel')
    expect(againMs).toBeLessThan(1000)
    const [first, again] = slow.deliveries
    expect(again!.value).toBe('long')
    expect(again!.origin.redelivered).toBe(true)
    // Late: the broker has given it to another, here to us again.
    await first!.ack()
    await again!.ack()
    await producer.publish('next', { routingKey: held })
    await slow.atLeast(3)
    await slow.deliveries[2]!.ack()
    await producer.publish('x', { routingKey: other })
    await fast.atLeast(1)
    await fast.deliveries[0]!.ack()
    expect(interrupted).toEqual([])
    expect(connection.counts.reconnected).toBe(0)
    await holder.stop()
    await neighbour.stop()
    await connection.withChannel(async (channel) => {
      for (const name of [held, other]) expect(await channel.removeQueue(name)).toBe(0)
    })
  })

  it('consumes and acknowledges while its memory is short, and publishes wait or reject', async () => {
    const connection = connect({ publishTimeout: 1, publishBuffer: 50 })
    const name = uniqueName('alarm')
    await connection.withChannel((channel) => channel.declareQueue(queue(name)))
    const producer = connection.producer({ routingKey: name })
    const { failures } = await producer.sendMany([1, 2, 3, 4])
    expect(failures.size).toBe(0)
    const blocked = connection.signals.once('blocked', AbortSignal.timeout(50_000))
    const unblocked = connection.signals.once('unblocked', AbortSignal.timeout(50_000))

    await rabbit.ctl('set_vm_memory_high_watermark', '0')
    // The broker says so with the first publish.
    expect((await failure(producer.publish(5))).code).toBe('MESSAGING_PUBLISH_TIMEOUT')
    expect((await blocked).reason).toMatch(/memory/)
    expect(connection.isBlocked).toBe(true)
    expect(connection.isReady).toBe(false)
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [name],
      prefetch: 1,
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()
    for (let i = 0; i < 4; i++) await (await inbox.atLeast(i + 1))[i]!.ack()
    const started = performance.now()
    const many = await Promise.allSettled(
      Array.from({ length: 200 }, (_, i) => producer.publish(i)),
    )
    const codes = many.map((one) =>
      one.status === 'rejected' ? (one.reason as MessagingError).code : 'confirmed',
    )
    expect(codes.filter((code) => code === 'MESSAGING_PUBLISH_TIMEOUT')).toHaveLength(50)
    expect(codes.filter((code) => code === 'MESSAGING_PUBLISH_REFUSED')).toHaveLength(150)
    expect(performance.now() - started).toBeLessThan(4000)
    const once = await failure(producer.publish('once', { retry: false }))
    expect(once).toMatchObject({ code: 'MESSAGING_PUBLISH_REFUSED', fault: 'message' })
    // What was given up is not kept anywhere.
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    collect()
    const before = process.memoryUsage().arrayBuffers
    for (let round = 0; round < 4; round++) {
      const sent = Array.from({ length: 50 }, () =>
        failure(producer.publish(kilobytes(1000), { serializer: 'raw', timeout: 0.2 })),
      )
      expect((await Promise.all(sent))[0]!.message).toMatch(/takes no messages.*memory|confirm/)
    }
    await until('what was given up is gone', () => {
      collect()
      return process.memoryUsage().arrayBuffers - before < 60e6
    })
    const patient = producer.publish('patient', { timeout: 30 })
    await rabbit.ctl('set_vm_memory_high_watermark', '0.6')
    await patient
    await unblocked

    expect(connection.isBlocked).toBe(false)
    const isPatient = ({ value }: Delivery) => value === 'patient'
    for (let i = 4; !inbox.deliveries.some(isPatient); i++)
      await (await inbox.atLeast(i + 1))[i]!.ack()
    await consumer.stop()
    await connection.withChannel((channel) => channel.removeQueue(name))
  })

  it('costs no more than the deadline when it is away', async () => {
    const connection = connect({ publishTimeout: 1 }, `amqp://127.0.0.1:${await freePort()}`)
    const producer = connection.producer({ routingKey: 'away' })
    const lag = monitorEventLoopDelay({ resolution: 5 })
    const started = performance.now()
    lag.enable()

    const outcomes = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => failure(producer.publish(i))),
    )

    lag.disable()
    expect(performance.now() - started).toBeLessThan(2500)
    expect(new Set(outcomes.map(({ code }) => code))).toEqual(
      new Set(['MESSAGING_PUBLISH_TIMEOUT']),
    )
    expect(outcomes[0]!.message).toMatch(/ECONNREFUSED/)
    expect(lag.percentile(95) / 1e6).toBeLessThan(50)
  })

  it('is not waited for for ever when it does not answer', async () => {
    let isDeaf = true
    let dropped = 0
    const proxy = await StrictAmqpProxy.to(rabbit.url, {
      version: false,
      globalQos: 'allow',
      onFrame: ({ method }) => {
        // basic.consume-ok
        if (method !== '60.21' || !isDeaf) return
        dropped++
        return 'drop'
      },
    })
    try {
      const connection = connect(
        { transportOptions: { readTimeout: 0.3 } },
        proxy.through(rabbit.url),
      )
      const name = uniqueName('deaf')
      const inbox = new Inbox()
      const consumer = connection.consumer({ queues: [name], onDeliveries: inbox.onDeliveries })
      const errors: MessagingError[] = []
      consumer.signals.on('interrupted', ({ error }) => errors.push(error))
      const started = consumer.start()

      await until('it has tried on a second link', () => connection.counts.reconnected > 0)
      isDeaf = false
      await started
      await connection.producer().publish('x', { routingKey: name })
      await inbox.atLeast(1)

      expect(errors[0]!.code).toBe('MESSAGING_TIMEOUT')
      expect(dropped).toBeGreaterThanOrEqual(5)
      await inbox.deliveries[0]!.ack()
      await pause(50)
      await consumer.stop()
      await connection.withChannel((channel) => channel.removeQueue(name))
    } finally {
      await Promise.all(open.splice(0).map((connection) => connection.close()))
      await proxy.close()
    }
  })
})
