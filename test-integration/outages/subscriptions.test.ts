// Many who wait on Redis at once: all of them are told although every subscription was cut, and sends that nobody
// awaits leave none. `npm run test:chaos` sends a million.
import { randomUUID } from 'node:crypto'
import { expect, it } from '@jest/globals'
import { Child, fixtures } from '../fixtures/children.ts'
import { quietApp } from '../fixtures/clients.ts'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, startPrivateRedis } from '../services/brokers.ts'

const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const sends = isLong ? 1_000_000 : 20_000
const awaited = 50_000

describeWith('redis', 'subscriptions on Redis', () => {
  it(`of ${String(awaited)} awaited results are made anew within 10 s, and miss nothing`, async () => {
    const server = await startPrivateRedis({ args: ['--appendfsync', 'no'] })
    const redis = await rawRedis(server.url)
    const app = quietApp({ broker: 'memory://subscriptions', backend: server.url })
    try {
      const backend = await app.backend()
      const ids = Array.from({ length: awaited }, () => randomUUID())
      const left = new Set(ids)
      let tell!: () => void
      const told = new Promise<void>((resolve) => (tell = resolve))
      const waiting = ids.map((id) =>
        backend.subscribe(id, () => {
          if (left.delete(id) && left.size === 0) tell()
        }),
      )
      const ends = await Promise.all(waiting)
      const subscribed = async (): Promise<number> =>
        Number(/ sub=([1-9]\d*)/.exec((await redis.client('LIST')) as string)?.[1] ?? 0)
      expect(await subscribed()).toBe(awaited)

      // Half is stored while nobody can hear it, half once the link is being made anew.
      const data = '{"status": "SUCCESS", "result": 1, "children": []}'
      const cut = redis.multi([['client', 'kill', 'type', 'pubsub']])
      for (const id of ids.slice(0, awaited / 2)) cut.set(`celery-task-meta-${id}`, data)
      const began = performance.now()
      await cut.exec()
      for (let i = awaited / 2; i < awaited; i += 500)
        await backend.store(ids.slice(i, i + 500).map((id) => ({ id, state: 'SUCCESS', data })))
      await told
      const tookMs = performance.now() - began

      console.info(
        `${String(awaited)} awaited results: all told ${(tookMs / 1000).toFixed(2)} s after the cut`,
      )
      expect(tookMs).toBeLessThan(10_000)
      for (const end of ends) end()
      await until('nothing is subscribed', async () => (await subscribed()) === 0)
    } finally {
      await app.close()
      redis.disconnect()
      await server.dispose()
    }
  }, 60_000)

  it(
    `are none after ${String(sends)} sends that nobody awaits`,
    async () => {
      const server = await startPrivateRedis({ args: ['--appendfsync', 'no', '--save', ''] })
      const redis = await rawRedis(server.url)
      const sender = new Child(
        'the sender',
        process.execPath,
        ['--expose-gc', `${fixtures}sender.mjs`, String(sends), '500'],
        {
          env: {
            FIXTURE_BROKER: server.url,
            FIXTURE_BACKEND: `${server.url}/1`,
            FIXTURE_QUEUE: 'q',
          },
        },
      )
      let most = 0
      const look = setInterval(() => {
        void redis.pubsub('CHANNELS', 'celery-task-meta-*').then((found) => {
          most = Math.max(most, (found as string[]).length)
        })
      }, 200)
      try {
        await sender.waitFor(
          'the end',
          () => sender.lines.find((line) => line.startsWith('{"done"')),
          isLong ? 900_000 : 60_000,
        )
        expect(most).toBe(0)
        expect(await redis.pubsub('CHANNELS', 'celery-task-meta-*')).toEqual([])
        expect(await redis.pubsub('NUMPAT')).toBe(0)
        expect(await redis.llen('q')).toBe(sends)
      } finally {
        clearInterval(look)
        await sender.kill9()
        redis.disconnect()
        await server.dispose()
      }
    },
    isLong ? 960_000 : 60_000,
  )
})
