// The result backend while its server goes away: what was asked is answered as soon as the server is back.
import { randomUUID } from 'node:crypto'
import { expect, it } from '@jest/globals'
import { quietApp } from '../fixtures/clients.ts'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, startPrivateRedis } from '../services/brokers.ts'

describeWith('redis', 'the result backend on Redis', () => {
  it('stores within 2 s of its return what was under way when the server died', async () => {
    const server = await startPrivateRedis()
    const app = quietApp({ broker: 'memory://results-outage', backend: server.url })
    const backend = await app.backend()
    const id = randomUUID()
    await backend.read([id])
    try {
      // Frozen, so that the command is on its way and stays unanswered.
      server.pause()
      const storing = backend.store([{ id, state: 'SUCCESS', data: '{"status": "SUCCESS"}' }])
      const reading = backend.read([id])
      await new Promise((resolve) => setImmediate(() => setTimeout(resolve, 20)))
      await server.kill9()
      await server.start()
      const back = performance.now()

      await Promise.all([storing, reading])

      expect(performance.now() - back).toBeLessThan(2000)
      expect(await backend.read([id])).toEqual(['{"status": "SUCCESS"}'])
    } finally {
      await app.close()
      await server.dispose()
    }
  })

  it('goes on waiting for a result over a restart of the server', async () => {
    const server = await startPrivateRedis()
    const app = quietApp({ broker: 'memory://results-outage', backend: server.url })
    const backend = await app.backend()
    const id = randomUUID()
    await backend.read([id])
    try {
      const waiting = (await app.result(id)).get({ timeout: 20 })
      const redis = await rawRedis(server.url)
      await until('it is subscribed', async () => {
        const [, count] = (await redis.pubsub('NUMSUB', `celery-task-meta-${id}`)) as unknown[]
        return count === 1
      })
      redis.disconnect()
      await server.kill9()
      await server.start()

      await backend.store([
        { id, state: 'SUCCESS', data: '{"status": "SUCCESS", "result": 7, "children": []}' },
      ])

      expect(await waiting).toBe(7)
    } finally {
      await app.close()
      await server.dispose()
    }
  })

  it('finds every result that was stored while its subscriptions were cut', async () => {
    const server = await startPrivateRedis()
    const redis = await rawRedis(server.url)
    const app = quietApp({ broker: 'memory://results-outage', backend: server.url })
    const ids = Array.from({ length: 5000 }, () => randomUUID())
    try {
      await app.setup()
      const waiting = ids.map(async (id) => (await app.result(id)).get({ timeout: 20 }))
      await until('all are subscribed', async () => {
        const channels = (await redis.pubsub('CHANNELS', 'celery-task-meta-*')) as string[]
        return channels.length === ids.length
      })

      // Each also looks once at what is stored; not what this is about.
      let looked = ''
      await until(
        'all have looked',
        async () => {
          const before = looked
          looked = /cmdstat_mget:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? ''
          return looked !== '' && looked === before
        },
        { everyMs: 100 },
      )

      // In one step, so that no notice can reach anybody.
      const cut = redis.multi([['client', 'kill', 'type', 'pubsub']])
      for (const id of ids)
        cut.set(
          `celery-task-meta-${id}`,
          `{"status": "SUCCESS", "result": "${id}", "children": []}`,
        )
      await cut.exec()

      expect(await Promise.all(waiting)).toEqual(ids)
    } finally {
      await app.close()
      redis.disconnect()
      await server.dispose()
    }
  })
})
