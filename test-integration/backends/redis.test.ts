/** The Redis result backend against its suite, and what its settings do, on a real server. */
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection, systemAmbient } from '@celeriac/messaging'
import { backends, resultCodec } from '@celeriac/tasks/internal'
import { backendOptions, backendSuite, counting, type OpenOptions } from '@celeriac/tasks/testing'
import { clientsOf, rawRedis } from '../fixtures/raw-redis.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, startPrivateRedis, urlOf } from '../services/brokers.ts'

const RedisBackend = await backends.redis.load()
type Backend = ReturnType<typeof counting>
const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']
const codecs = await Promise.all(names.map((name) => resultCodec(codec, name, names)))
const [msgpack] = codecs

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function open(
  url: string,
  more: Parameters<typeof backendOptions>[2] = {},
  options: OpenOptions = {},
): Backend {
  const backend = counting(new RedisBackend(backendOptions(url, options, more), systemAmbient()))
  cleanups.push(() => backend.close())
  return backend
}

async function start(args: readonly string[] = []) {
  const server = await startPrivateRedis({ args: ['--appendfsync', 'no', ...args] })
  cleanups.push(() => server.dispose())
  return server
}

async function raw(url: string) {
  const client = await rawRedis(url)
  cleanups.push(async () => client.disconnect())
  return client
}

const success = (value: unknown): string => `{"status": "SUCCESS", "result": ${String(value)}}`
const put = (backend: Backend, id: string): Promise<void> =>
  backend.store([{ id, state: 'SUCCESS', data: success(1) }])

describeWith('redis', 'on Redis', () => {
  backendSuite(
    { describe, it },
    {
      name: 'redis',
      open: (options) => new RedisBackend(backendOptions(urlOf('redis'), options), systemAmbient()),
      unique: randomUUID,
      codecs,
    },
  )

  it('stays the first success of many writers, also in bytes', async () => {
    const writers = Array.from({ length: 5 }, () => open(urlOf('redis'), {}, { codec: msgpack! }))
    const ids = Array.from({ length: 20 }, () => randomUUID())
    const told = new Map<string, unknown[]>(ids.map((id) => [id, []]))
    for (const id of ids)
      await writers[0]!.subscribe(id, (data) => told.get(id)!.push(writers[0]!.decode(data).result))

    const one = (writer: Backend, taskId: string, status: string, result: unknown) => ({
      id: taskId,
      state: status,
      data: writer.encode({
        taskId,
        status,
        result,
        traceback: null,
        children: [],
        dateDone: null,
      }),
    })
    await Promise.all(
      writers.flatMap((writer, w) => [
        writer.store(ids.map((id) => one(writer, id, 'SUCCESS', w))),
        writer.store(ids.map((id) => one(writer, id, 'RETRY', 'late'))),
      ]),
    )

    const found = (await writers[0]!.read(ids)).map((data) => writers[0]!.decode(data!))
    expect(found.map(({ status }) => status)).toEqual(ids.map(() => 'SUCCESS'))
    for (const [i, id] of ids.entries()) {
      const successes = told.get(id)!.filter((value) => value !== 'late')
      expect(new Set(successes)).toEqual(new Set([found[i]!.result]))
    }
  })

  it.each([true, false])(
    'gives the parts there were when they were complete, whatever comes with them (ordered: %s)',
    async (ordered) => {
      const backend = open(urlOf('redis'), { options: { result_chord_ordered: ordered } })
      const id = randomUUID()
      await backend.startCountdown(
        id,
        ['0', '1'].map((one) => [[one, null], null] as const),
      )

      // A Python worker that sends a group in a header announces fewer than there are.
      const parts = [0, 1, 2].map((index) => {
        const data = `[1, "${String(index)}", "SUCCESS", ${String(index)}]`
        return backend.stepCountdown({ groupId: id, taskId: String(index), index, data })
      })
      const steps = await Promise.all(parts)

      expect(steps.map(({ kind }) => kind)).toEqual(['waiting', 'complete', 'waiting'])
      expect(steps[1]).toMatchObject({
        parts: ['[1, "0", "SUCCESS", 0]', '[1, "1", "SUCCESS", 1]'],
      })
      await backend.endCountdown(id)
    },
  )

  it('keeps parts of chords in a list when they need no order', async () => {
    const backend = open(urlOf('redis'), { options: { result_chord_ordered: false } })
    const id = randomUUID()
    const part = (index: number, value: unknown) =>
      backend.stepCountdown({
        groupId: id,
        taskId: String(index),
        index,
        data: `[1, "${String(index)}", "SUCCESS", ${String(value)}]`,
      })
    await backend.startCountdown(
      id,
      [0, 1, 2].map((n) => [[String(n), null], null] as const),
    )
    const redis = await raw(urlOf('redis'))

    expect((await part(2, 1)).kind).toBe('waiting')
    for (let i = 0; i < 3; i++) expect((await part(1, 1)).kind).toBe('waiting')
    expect((await part(1, 2)).kind).toBe('waiting')
    expect(await redis.type(`celery-taskset-meta-${id}.j`)).toBe('list')
    expect(await part(0, 1)).toEqual({
      kind: 'complete',
      parts: ['[1, "2", "SUCCESS", 1]', '[1, "1", "SUCCESS", 2]', '[1, "0", "SUCCESS", 1]'],
    })
    await backend.endCountdown(id)
    expect((await part(0, 1)).kind).toBe('waiting')
    await backend.endCountdown(id)
  })

  describe.each([true, false])('of more parts than were expected, kept in order: %s', (ordered) => {
    const members = (size: number) =>
      Array.from({ length: size }, (_, n) => [[String(n), null], null] as const)
    const data = (index: number, value = 1) =>
      `[1, "${String(index)}", "SUCCESS", ${String(value)}]`

    async function counting(size: number) {
      const backend = open(urlOf('redis'), { options: { result_chord_ordered: ordered } })
      const redis = await raw(urlOf('redis'))
      const id = randomUUID()
      const parts = `celery-taskset-meta-${id}.j`
      await backend.startCountdown(id, members(size))
      return {
        ours: async (index: number, value = 1) => {
          const part = { groupId: id, taskId: String(index), index, data: data(index, value) }
          return (await backend.stepCountdown(part)).kind
        },
        python: async (index: number) => {
          if (ordered) await redis.zadd(parts, index, data(index))
          else await redis.rpush(parts, data(index))
        },
        /** As Python does when it sends a group in the header. */
        shrink: () => backend.startCountdown(id, members(2)),
        /** As Python does after it has sent the body. */
        end: async () => await redis.del(parts, `celery-taskset-meta-${id}.s`),
        tidy: () => backend.endCountdown(id),
      }
    }

    it('those that met the size join once, also when they come again', async () => {
      const { ours, tidy } = await counting(2)

      expect([await ours(0), await ours(1), await ours(2)]).toEqual([
        'waiting',
        'complete',
        'waiting',
      ])
      expect([await ours(1), await ours(1, 2)]).toEqual(['complete', 'complete'])
      await tidy()
    })

    it('the next joins when nobody met the size', async () => {
      const { ours, shrink, tidy } = await counting(3)
      const before = [await ours(0), await ours(1)]
      await shrink()

      expect([...before, await ours(2), await ours(3)]).toEqual([
        'waiting',
        'waiting',
        'complete',
        'waiting',
      ])
      await tidy()
    })

    it('joins what Python has counted, but has not joined', async () => {
      const { ours, python, shrink, tidy } = await counting(3)
      await python(0)
      await ours(1)
      await shrink()

      expect([await ours(2), await ours(2)]).toEqual(['late', 'complete'])
      await tidy()
    })

    it('joins nothing that Python has joined', async () => {
      const { ours, python, end, tidy } = await counting(2)
      await ours(0)
      await python(1)
      const late = await ours(2)
      await end()

      expect([late, await ours(2)]).toEqual(['late', 'waiting'])
      await tidy()
    })
  })

  it('finds its server by the old settings where there is no URL', async () => {
    const server = await start()
    const redis = await raw(server.url)
    await redis.config('SET', 'requirepass', 'pass')
    const config = {
      redisHost: '127.0.0.1',
      redisPort: server.port,
      redisPassword: 'pass',
      redisDb: 5,
    }
    await put(open('redis', { config }), 'a')
    await put(open('redis://', { config: { ...config, redisDb: 6 } }), 'b')
    await put(open(`redis://127.0.0.1:${String(server.port)}/?db=7&password=pass`), 'c')
    const keyspace = await redis.info('keyspace')

    expect(keyspace).toMatch(/db5:keys=1/)
    expect(keyspace).toMatch(/db0:keys=1/)
    // As in Celery, the query goes before the path.
    expect(keyspace).toMatch(/db7:keys=1/)
  })

  it('is reached through a socket, in the database of its option', async () => {
    const file = path.join(tmpdir(), `${randomUUID()}.sock`)
    const server = await start(['--unixsocket', file])
    await put(open(`redis+socket://${file}?virtual_host=4`), 'a')
    const redis = await raw(server.url)

    expect(await redis.info('keyspace')).toMatch(/db4:keys=1/)
  })

  it('has the name it was given, and its own otherwise', async () => {
    const server = await start()
    const redis = await raw(server.url)
    const named = open(server.url, { config: { redisClientName: 'mine' } })
    const plain = open(server.url)
    await Promise.all([named.open(), plain.open()])

    expect((await clientsOf(redis)).toSorted()).toEqual(['celeriac-results', 'mine'])
  })

  it('gives up within the time of the settings, and goes on when the server does', async () => {
    const server = await start()
    const backend = open(server.url, { config: { redisSocketTimeout: 1 } })
    await put(backend, 'a')
    server.pause()
    const began = performance.now()
    await expect(backend.read(['a'])).rejects.toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
    expect(performance.now() - began).toBeLessThan(2500)
    server.resume()

    expect(await backend.read(['a'])).toEqual([success(1)])
  })

  it('connects within the time of the settings', async () => {
    const server = await start()
    server.pause()
    const backend = open(server.url, { config: { redisSocketConnectTimeout: 0.5 } })
    const began = performance.now()
    await expect(backend.open()).rejects.toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
    expect(performance.now() - began).toBeLessThan(2000)
    server.resume()
  })

  it('notices by its checks that nobody would tell it anything', async () => {
    const server = await start()
    const config = { redisBackendHealthCheckInterval: 0.2, redisSocketTimeout: 0.5 }
    const backend = open(server.url, { config })
    const told: unknown[] = []
    await backend.subscribe('a', (data) => told.push(data))
    server.pause()
    await new Promise((resolve) => setTimeout(resolve, 1500))
    server.resume()
    const redis = await raw(server.url)
    await until('it is subscribed anew', async () => {
      const list = String(await redis.client('LIST'))
      return /name=celeriac-results.* sub=1/.test(list)
    })
    await put(open(server.url), 'a')
    await until('it is told', () => told.length > 0)
    expect(told).toEqual([success(1)])
  })

  it('fails at once where nobody is, and is asked nothing after the end', async () => {
    const backend = open('redis://127.0.0.1:1')
    const began = performance.now()
    await expect(backend.read(['a'])).rejects.toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
    await expect(backend.subscribe('a', () => undefined)).rejects.toMatchObject({
      code: 'TASKS_BACKEND_FAILED',
    })
    expect(performance.now() - began).toBeLessThan(3000)
    await backend.close()
    await expect(backend.read(['a'])).rejects.toMatchObject({ code: 'TASKS_STOPPED' })
  })

  it.each([
    ['redis://u:secret@h:port/', {}],
    ['redis://u:secret@h/name', {}],
    ['redis://u:secret@h/0;redis://h2', {}],
    ['redis://u:secret@h/', { socketTimeuot: 3 }],
    ['redis://u:secret@h/', { socketTimeout: 'long' }],
    ['sentinel://:secret@h/', {}],
    ['sentinel://h/', { masterName: 'm', sentinelKwargs: 'secret' }],
    ['redis+cluster://:secret@h/2', {}],
  ])('refuses %s with %j', (url, options) => {
    let found: unknown
    try {
      open(url, { options })
    } catch (error) {
      found = error
    }
    expect(found).toMatchObject({ code: 'TASKS_CONFIG_INVALID' })
    expect(String(found)).not.toContain('secret')
  })

  it('does not show its password when it is refused', async () => {
    const server = await start()
    await (await raw(server.url)).config('SET', 'requirepass', 'right')
    const url = server.url.replace('://', '://:Secr3t@')
    const error: unknown = await open(url)
      .open()
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
    expect(String(error)).not.toContain('Secr3t')
  })
})
