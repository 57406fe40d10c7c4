// What a worker on Redis makes of duplicates, and its results of a link that dies in silence.
import { setTimeout as pause } from 'node:timers/promises'
import { silentLogger, systemAmbient } from '@celeriac/messaging'
import { FaultProxy } from '@celeriac/messaging/testing'
import { Celeriac, createWorker } from '@celeriac/tasks'
import { backendOptions } from '@celeriac/tasks/testing'
import { makeBackend } from '@celeriac/tasks/internal'
import { afterEach, expect, it } from '@jest/globals'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { describeWith, startPrivateRedis } from '../services/brokers.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

describeWith('redis', 'a worker and its results on a private Redis', () => {
  it('settles both of two messages of one task when it runs once for them', async () => {
    const server = await startPrivateRedis()
    cleanups.push(() => server.dispose())
    const raw = await rawRedis(server.url)
    cleanups.push(() => raw.disconnect())
    const app = new Celeriac('twice', {
      broker: server.url,
      backend: 'memory://twice',
      loadConfig: false,
      ambient: { log: silentLogger },
    })
    cleanups.push(() => app.close())
    let runs = 0
    const task = app.task('slow', async () => {
      runs++
      await pause(300)
    })
    await task.delay()
    // As a publish leaves it whose confirmation was lost, after a worker had both.
    const [text] = await raw.lrange('celery', 0, 0)
    await raw.del('celery')
    const message = JSON.parse(text!) as { properties: Record<string, unknown> }
    for (const tag of ['one', 'two']) {
      message.properties['delivery_info'] = {
        exchange: '',
        routing_key: 'celery',
        redelivered: true,
      }
      message.properties['delivery_tag'] = tag
      await raw.lpush('celery', JSON.stringify(message))
    }

    const worker = await createWorker(app, { pool: 'async', concurrency: 2 })
    await worker.start()
    await pause(1000)

    expect(runs).toBe(1)
    expect(await raw.hlen('unacked')).toBe(0)
    await worker.stop(1)
  })

  it('tells who waits, although the link to the results died in silence', async () => {
    const server = await startPrivateRedis()
    cleanups.push(() => server.dispose())
    const proxy = await FaultProxy.to(server.url)
    cleanups.push(() => proxy.close())
    const open = async (url: string) => {
      const backend = await makeBackend(backendOptions(url), systemAmbient({ log: silentLogger }))
      cleanups.push(() => backend.close())
      return backend
    }
    const waiter = await open(proxy.through(server.url))
    const told = new Promise<unknown>((resolve) => void waiter.subscribe('silent', resolve))
    await pause(200)
    const links = proxy.accepted

    proxy.setMode('blackhole')
    const data = '{"status": "SUCCESS", "result": 1, "task_id": "silent"}'
    await (await open(server.url)).store([{ id: 'silent', state: 'SUCCESS', data }])
    while (proxy.accepted === links) await pause(50)
    proxy.breakAll()
    proxy.setMode('pass')

    expect(await told).toBe(data)
  }, 40_000)
})
