// What a client and an idle worker cost: sends that nobody awaits leave neither memory nor subscriptions, and
// a worker that waits for work is small. `npm run test:chaos` sends ten times as much.
import { setTimeout as pause } from 'node:timers/promises'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { Child, fixtures } from '../fixtures/children.ts'
import { quietApp } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, startPrivateRedis, uniqueName, urlOf } from '../services/brokers.ts'

const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const sends = isLong ? 200_000 : 20_000
const mib = 1024 * 1024

interface Sample {
  readonly sent: number
  readonly rss: number
  readonly heapUsed: number
}

describeWith('redis', 'a client', () => {
  it(
    `keeps nothing of ${String(sends)} sends that nobody awaits`,
    async () => {
      const server = await startPrivateRedis({ args: ['--appendfsync', 'no'] })
      const redis = await rawRedis(server.url)
      const words = ['--expose-gc', `${fixtures}sender.mjs`, String(sends), '500']
      const sender = new Child('the sender', process.execPath, words, {
        env: { FIXTURE_BROKER: server.url, FIXTURE_BACKEND: `${server.url}/1`, FIXTURE_QUEUE: 'q' },
      })
      try {
        await sender.waitFor(
          'the end',
          () => sender.lines.find((line) => line.startsWith('{"done"')),
          isLong ? 240_000 : 60_000,
        )

        const samples = sender.lines
          .filter((line) => line.startsWith('{"sent"'))
          .map((line) => JSON.parse(line) as Sample)
        // The first fifth fills caches and compiles code.
        const [early, late] = [samples[1]!, samples.at(-1)!]
        // The least of the last ones: a sample may be taken while something is on its way.
        const heap = Math.min(...samples.slice(-3).map(({ heapUsed }) => heapUsed))
        const grown = { heap: heap - early.heapUsed, rss: late.rss - early.rss }
        console.info(
          `${String(sends)} sends: heap ${(grown.heap / mib).toFixed(2)} MiB, RSS ${(grown.rss / mib).toFixed(1)} MiB more, ${(late.rss / mib).toFixed(0)} MiB in all`,
        )
        expect(samples).toHaveLength(10)
        expect(grown.heap).toBeLessThan(2 * mib)
        expect(grown.rss).toBeLessThan(20 * mib)
        expect(await redis.llen('q')).toBe(sends)
        expect(await redis.pubsub('CHANNELS', 'celery-task-meta-*')).toEqual([])
        expect(await redis.pubsub('NUMPAT')).toBe(0)
      } finally {
        await sender.kill9()
        redis.disconnect()
        await server.dispose()
      }
    },
    isLong ? 300_000 : 60_000,
  )

  it('is subscribed to what it awaits, and to nothing once that has come or was given up', async () => {
    const server = await startPrivateRedis()
    const redis = await rawRedis(server.url)
    const app = quietApp({ broker: 'memory://footprint', backend: server.url })
    const subscribed = async () =>
      ((await redis.pubsub('CHANNELS', 'celery-task-meta-*')) as string[]).length
    try {
      const ids = Array.from({ length: 300 }, (_, i) => `footprint-${String(i)}`)
      const come = ids.map(async (id) => (await app.result(id)).get({ timeout: 10 }))
      const late = ids.map(async (id) => (await app.result(`late-${id}`)).get({ timeout: 0.4 }))
      const outcomes = Promise.allSettled(late)
      await until('all are subscribed', async () => (await subscribed()) === 600)

      const backend = await app.backend()
      const data = '{"status": "SUCCESS", "result": 1, "children": []}'
      await backend.store(ids.map((id) => ({ id, state: 'SUCCESS', data })))

      expect(await Promise.all(come)).toEqual(ids.map(() => 1))
      for (const outcome of await outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'TASKS_TIMEOUT' } })
      }
      await until('nothing is subscribed', async () => (await subscribed()) === 0)
      expect(await redis.client('LIST')).not.toMatch(/name=celeriac-results.* sub=[1-9]/)
    } finally {
      await app.close()
      redis.disconnect()
      await server.dispose()
    }
  })
})

describe('an idle worker', () => {
  describeWith('redis', 'on Redis', () => {
    it.each(['async', 'processes'])('with the pool %s stays below 80 MB', async (pool) => {
      const broker = urlOf('redis')
      const queue = uniqueName('idle')
      const worker = await OurWorker.start({ broker, backend: broker, queue, pool, concurrency: 2 })
      try {
        // What starting has left is given back once V8 finds that nothing happens any more, after about 8 s.
        let megabytes = Infinity
        for (let i = 0; i < 200 && megabytes > 70; i++) {
          await pause(100)
          megabytes = residentBytes(worker.pid) / 1e6
        }
        console.info(`idle worker, pool ${pool}: ${megabytes.toFixed(1)} MB`)
        expect(megabytes).toBeLessThan(80)
      } finally {
        await worker.stop()
      }
    })
  })
})

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024
}
