/** A process that has closed its result backend ends by itself, also when the server is gone or stands still. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, expect, it } from '@jest/globals'
import { Child, fixtures } from '../fixtures/children.ts'
import { RedisCluster } from '../fixtures/redis-cluster.ts'
import { RedisSentinels } from '../fixtures/redis-sentinels.ts'
import {
  describeWith,
  startPrivateMemcached,
  startPrivateMongo,
  startPrivateRedis,
  type ControlledServer,
} from '../services/brokers.ts'

interface Place {
  readonly url: string
  readonly options?: object
  readonly servers: readonly ControlledServer[]
  dispose(): Promise<void> | void
}

const single =
  (start: () => Promise<ControlledServer>, urlOf: (url: string) => string) =>
  async (): Promise<Place> => {
    const server = await start()
    return { url: urlOf(server.url), servers: [server], dispose: () => server.dispose() }
  }

const places: Record<string, () => Promise<Place>> = {
  files: async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'celeriac-closing-'))
    const dispose = (): void => rmSync(folder, { recursive: true })
    return { url: `file://${folder}`, servers: [], dispose }
  },
  Memcached: single(startPrivateMemcached, (url) => `cache+${url}`),
  MongoDB: single(startPrivateMongo, (url) => `${url}/closing`),
  Redis: single(startPrivateRedis, (url) => url),
  'Redis behind sentinels': async () => {
    const redis = await RedisSentinels.start()
    const options = { masterName: RedisSentinels.masterName }
    return { url: redis.url(), options, servers: redis.all, dispose: () => redis.dispose() }
  },
  'a Redis Cluster': async () => {
    const cluster = await RedisCluster.start()
    return { url: cluster.url, servers: cluster.servers, dispose: () => cluster.dispose() }
  },
}

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
}, 30_000)

describeWith(['redis', 'memcached', 'mongodb'], 'a process with results on', () => {
  for (const [name, start] of Object.entries(places)) {
    const ways = name === 'files' ? ['is there'] : ['is there', 'crashed', 'stands still']
    it.each(ways)(
      `${name} ends soon after it closed them when the server %s`,
      async (how) => {
        const { url, options = {}, servers, dispose } = await start()
        cleanups.push(dispose)
        const words = [`${fixtures}backend-child.mjs`, url, JSON.stringify(options)]
        const child = new Child('the child', process.execPath, words)
        cleanups.push(async () => void (await child.kill9()))
        await child.waitFor('used', () => child.lines.find((line) => line === 'used'))
        for (const server of servers) {
          if (how === 'crashed') await server.kill9()
          if (how === 'stands still') {
            server.pause()
            cleanups.push(() => server.resume())
          }
        }
        const began = performance.now()
        child.write('close')
        const exit = await child.exited

        expect(exit).toEqual({ code: 0, signal: null })
        // What was under way has its own deadline.
        expect(performance.now() - began).toBeLessThan(how === 'is there' ? 1500 : 16_000)
      },
      120_000,
    )
  }
})
