// What we write to a Redis broker against what Python wrote: envelopes field by field and in order, lists by
// priority, bindings, channels, and the names that transport options change.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { Connection, exchange, queue, silentLogger } from '@celeriac/messaging'
import { kw, type Celeriac, type SendOptions } from '@celeriac/tasks'
import { quietApp } from '../fixtures/clients.ts'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { until } from '../fixtures/waiting.ts'
import {
  comparableEnvelope,
  vector,
  type Envelope,
  type KeyDump,
  type Vector,
} from '../fixtures/vectors.ts'
import { describeWith, startPrivateRedis, type ControlledServer } from '../services/brokers.ts'

type Redis = Awaited<ReturnType<typeof rawRedis>>

/** How each vector was made, in our words. */
const calls: Readonly<Record<string, (app: Celeriac, id: string) => Promise<unknown>>> = {
  'task-simple': (app, id) => send(app, 'add', [2, 3], { taskId: id }),
  'task-kwargs': (app, id) => send(app, 'add', [kw({ x: 1, y: 2 })], { taskId: id }),
  'task-noargs': (app, id) => send(app, 'nothing', [], { taskId: id }),
  'task-time-limits': (app, id) =>
    send(app, 'add', [1, 2], { taskId: id, timeLimit: 60, softTimeLimit: 50.5 }),
  'task-shadow': (app, id) => send(app, 'add', [1, 2], { taskId: id, shadow: 'pretty.name' }),
  'task-fixed-id': (app, id) => send(app, 'add', [1, 2], { taskId: id }),
  'task-custom-headers': (app, id) =>
    send(app, 'add', [1, 2], { taskId: id, headers: { 'x-tenant': 'acme', trace: { id: 7 } } }),
  'task-ignore-result-option': (app, id) =>
    send(app, 'add', [1, 2], { taskId: id, ignoreResult: true }),
  'task-countdown': (app, id) => send(app, 'add', [1, 2], { taskId: id, countdown: 30 }),
  'task-eta-string': (app, id) =>
    send(app, 'add', [1, 2], { taskId: id, eta: '2030-01-02T03:04:05Z' } as SendOptions),
  'task-delivery-transient': (app, id) => send(app, 'add', [1, 2], { taskId: id, deliveryMode: 1 }),
  'redis-binding-default': (app, id) => send(app, 'add', [1, 2], { taskId: id }),
}

function send(app: Celeriac, task: string, args: unknown[], options: SendOptions) {
  return app.remote<(...args: unknown[]) => unknown>(`proj.tasks.${task}`).applyAsync(args, options)
}

describeWith('redis', 'what we write to Redis', () => {
  let server: ControlledServer
  let redis: Redis

  beforeAll(async () => {
    server = await startPrivateRedis({ args: ['--appendfsync', 'no'] })
    redis = await rawRedis(`${server.url}/3`)
  })

  beforeEach(() => redis.flushall())

  afterAll(async () => {
    redis?.disconnect()
    await server?.dispose()
  })

  describe('as an envelope is that of Python', () => {
    it.each(Object.keys(calls))('%s', async (name) => {
      const [captured] = vector(name).messages
      await using app = quietApp({ broker: `${server.url}/3` })

      await calls[name]!(app, captured!.envelope.headers['id'] as string)

      const text = await redis.rpop(captured!.key)
      expect(comparableEnvelope(JSON.parse(text!) as Envelope)).toEqual(
        comparableEnvelope(captured!.envelope),
      )
      expect((JSON.parse(text!) as Envelope).headers['id']).toBe(captured!.envelope.headers['id'])
    })

    it('task-expires-seconds, with what is left of the time in milliseconds', async () => {
      const [captured] = vector('task-expires-seconds').messages
      await using app = quietApp({ broker: `${server.url}/3` })

      await send(app, 'add', [1, 2], { expires: 60 })

      const ours = JSON.parse((await redis.rpop('celery'))!) as Envelope
      expect(Object.keys(ours.properties)).toEqual(Object.keys(captured!.envelope.properties))
      expect(ours.properties['expiration']).toMatch(/^(60000|599\d\d)$/)
      expect(ours.headers['expires']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$/)
    })

    it('task-send-by-name, in the list of the queue and priority that were named', async () => {
      const [captured] = vector('task-send-by-name').messages
      await using app = quietApp({ broker: `${server.url}/3` })

      const options = { kwargs: { a: 'b' }, queue: 'elsewhere', priority: 4 }
      await app.sendTask('other.module.job', [1], options)

      const ours = JSON.parse((await redis.rpop(captured!.key))!) as Envelope
      // For display: Python shows a list as a list, and we know no tuples.
      const headers = { ...captured!.envelope.headers, argsrepr: '(1,)' }
      expect(comparableEnvelope(ours)).toEqual(
        comparableEnvelope({ ...captured!.envelope, headers }),
      )
    })

    it('ser-json-gzip, compressed bytes that decompress to the same', async () => {
      const [captured] = vector('ser-json-gzip').messages
      await using app = quietApp({ broker: `${server.url}/3` })

      await send(app, 'echo', [1], { compression: 'gzip' })

      const ours = JSON.parse((await redis.rpop('celery'))!) as Envelope
      expect(ours.headers['compression']).toBe(captured!.envelope.headers['compression'])
      expect(Buffer.from(ours.body, 'base64').subarray(0, 2).toString('hex')).toBe('789c')
    })
  })

  it('goes to the list of its priority, as redis-priority-all', async () => {
    const { messages } = vector('redis-priority-all')
    await using app = quietApp({ broker: `${server.url}/3` })

    for (const { envelope } of messages) {
      const priority = envelope.properties['priority'] as number
      await send(app, 'add', [priority, priority], { priority })
    }

    const expected = new Map<string, number[]>()
    for (const { key, envelope } of messages) {
      const priority = envelope.properties['priority'] as number
      expected.set(key, [...(expected.get(key) ?? []), priority])
    }
    for (const [key, priorities] of expected) {
      const texts = await redis.lrange(key, 0, -1)
      const found = texts.map((text) => (JSON.parse(text) as Envelope).properties['priority'])
      // The newest is in front.
      expect({ key, found: found.toReversed() }).toEqual({ key, found: priorities })
    }
  })

  it('is bound and routed like redis-topic-exchange', async () => {
    const captured = vector('redis-topic-exchange').redis
    await using connection = new Connection(`${server.url}/3`, { ambient: { log: silentLogger } })
    const jobs = exchange('jobs', { type: 'topic' })
    const bound = (name: string, routingKey: string) =>
      queue(name, { bindings: [{ exchange: jobs, routingKey }] })
    const declare = [
      bound('jobs.video', 'video.#'),
      bound('jobs.img', 'image.*.small'),
      bound('jobs.all', '#'),
    ]
    const producer = connection.producer({ exchange: jobs })

    for (const routingKey of ['video.encode.h264', 'image.png.small', 'nothing.here'])
      await producer.publish({ n: 1 }, { routingKey, declare })

    const keysOf = (texts: readonly string[]) =>
      texts.map((text) => (JSON.parse(text) as Envelope).properties['delivery_info'])
    const isSet = ({ type }: KeyDump) => type === 'set'
    for (const { key, value } of captured.filter(isSet)) {
      expect((await redis.smembers(key)).toSorted()).toEqual((value as string[]).toSorted())
    }
    for (const { key, value } of captured.filter((dump) => !isSet(dump))) {
      expect(keysOf(await redis.lrange(key, 0, -1))).toEqual(keysOf(value as string[]))
    }
  })

  describe('follows the transport options of Kombu', () => {
    const options: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
      'redis-global-keyprefix': { global_keyprefix: 'team1:' },
      'redis-priority-steps-sep': { priority_steps: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], sep: ':' },
      'redis-fanout-prefix-off': { fanout_prefix: false, fanout_patterns: false },
    }

    it.each(Object.keys(options))('%s', async (name) => {
      const captured = vector(name)
      const { keys, published } = await sameCalls(options[name]!)

      expect(keys).toEqual(keysOf(captured))
      expect(published).toEqual(
        captured.published.map(({ channel, envelope }) => ({
          channel,
          envelope: comparableEnvelope(envelope),
        })),
      )
    })

    /** Two tasks, of priority 7 and of none, and one message to a fanout exchange. */
    async function sameCalls(transportOptions: Readonly<Record<string, unknown>>) {
      const heard: { channel: string; text: string }[] = []
      const ear = await rawRedis(`${server.url}/3`)
      ear.on('pmessage', (_pattern: string, channel: string, text: string) => {
        if (!/^__|celeriac:pulse:/.test(channel)) heard.push({ channel, text })
      })
      await ear.psubscribe('*')
      await using app = quietApp({
        broker: `${server.url}/3`,
        brokerTransportOptions: transportOptions,
      })
      await send(app, 'add', [1, 2], { priority: 7 })
      await send(app, 'add', [3, 4], {})
      const { connection } = await app.setup()
      const fan = exchange('fan', { type: 'fanout' })
      await connection.producer().publish(
        { n: 1 },
        {
          exchange: fan,
          routingKey: 'rk.x',
          priority: 0,
          declare: [fan, queue('fan.q', { bindings: [{ exchange: fan, routingKey: '' }] })],
        },
      )
      await until('it was heard', () => heard.length > 0)
      ear.disconnect()
      const keys: Record<string, unknown> = {}
      for (const key of (await redis.keys('*')).toSorted()) {
        if (key.includes('celeriac:')) continue
        const type = await redis.type(key)
        keys[key] =
          type === 'set'
            ? (await redis.smembers(key)).toSorted()
            : (await redis.lrange(key, 0, -1)).map((text) =>
                comparableEnvelope(JSON.parse(text) as Envelope),
              )
      }
      const published = heard.map(({ channel, text }) => ({
        channel,
        envelope: comparableEnvelope(JSON.parse(text) as Envelope),
      }))
      return { keys, published }
    }

    function keysOf({ redis: dump }: Vector): Record<string, unknown> {
      return Object.fromEntries(
        dump.map(({ key, type, value }) => [
          key,
          type === 'set'
            ? (value as string[]).toSorted()
            : (value as string[]).map((text) => comparableEnvelope(JSON.parse(text) as Envelope)),
        ]),
      )
    }
  })
})
