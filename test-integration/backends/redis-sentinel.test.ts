/** Results on Redis behind sentinels: the suite, and masters that crash or freeze while somebody waits. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { Connection, systemAmbient } from '@celeriac/messaging'
import { backends, resultCodec } from '@celeriac/tasks/internal'
import { backendOptions, backendSuite, type OpenOptions } from '@celeriac/tasks/testing'
import { quietApp } from '../fixtures/clients.ts'
import { RedisSentinels } from '../fixtures/redis-sentinels.ts'
import { describeWith } from '../services/brokers.ts'

const RedisBackend = await backends.sentinel.load()
type Backend = InstanceType<typeof RedisBackend>
const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']
const codecs = await Promise.all(names.map((name) => resultCodec(codec, name, names)))
const { masterName } = RedisSentinels

let redis: RedisSentinels
const opened: Backend[] = []

function make(options: OpenOptions = {}, more: Record<string, unknown> = {}, url = redis.url(3)) {
  const given = backendOptions(url, options, { options: { masterName, ...more } })
  return new RedisBackend(given, systemAmbient())
}

function open(more?: Record<string, unknown>, url?: string): Backend {
  const backend = make({}, more, url)
  opened.push(backend)
  return backend
}

const success = (value: unknown): string =>
  `{"status": "SUCCESS", "result": ${String(value)}, "children": []}`

afterEach(async () => {
  await Promise.all(opened.splice(0).map((backend) => backend.close()))
})

describeWith('redis', 'results on Redis behind sentinels', () => {
  beforeAll(async () => {
    redis = await RedisSentinels.start()
  }, 60_000)
  afterAll(() => redis.dispose())

  backendSuite(
    { describe, it },
    { name: 'sentinel', open: (options) => make(options), unique: randomUUID, codecs },
  )

  it('need the name of the master', () => {
    expect(() => open({ masterName: undefined })).toThrow(
      expect.objectContaining({
        code: 'TASKS_CONFIG_INVALID',
        message: expect.stringContaining('masterName') as unknown,
      }) as unknown as Error,
    )
  })

  it.each([{ masterName: 'nobody' }, { min_other_sentinels: 9 }])(
    'are not to be found with %j',
    async (options) => {
      const began = performance.now()
      await expect(open(options).open()).rejects.toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
      expect(performance.now() - began).toBeLessThan(5000)
    },
  )

  it.each(['crashes', 'freezes'])(
    'come to those who wait when the master %s',
    async (how) => {
      const app = quietApp({
        broker: 'memory://results-sentinel',
        backend: redis.url(3),
        resultBackendTransportOptions: { masterName },
      })
      const writer = open()
      const master = await redis.settled()
      try {
        const ids = Array.from({ length: 200 }, () => randomUUID())
        const waiting = ids.map(async (id) => (await app.result(id)).get({ timeout: 40 }))
        await writer.store(
          ids.slice(0, 50).map((id) => ({ id, state: 'SUCCESS', data: success(1) })),
        )
        await Promise.all(waiting.slice(0, 50))

        if (how === 'crashes') await master.kill9()
        else master.pause()
        for (const id of ids.slice(50)) {
          await untilStored(writer, id)
        }

        expect(await Promise.all(waiting)).toEqual(ids.map(() => 1))
      } finally {
        await app.close()
        if (how === 'crashes') await master.start()
        else master.resume()
        await redis.settled()
      }
    },
    90_000,
  )
})

/** As a worker does: again until it is kept. */
async function untilStored(backend: Backend, id: string): Promise<void> {
  for (const endMs = performance.now() + 30_000; ;) {
    try {
      return await backend.store([{ id, state: 'SUCCESS', data: success(1) }])
    } catch (error) {
      if (performance.now() > endMs) throw error
    }
  }
}
