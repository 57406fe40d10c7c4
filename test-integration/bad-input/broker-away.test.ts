// A broker that is not there: workers wait for it and consume as soon as it comes, sends reject by their
// deadline and say why, and everything works again without anybody's help.
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import type { Celeriac } from '@celeriac/tasks'
import { quietApp } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { until } from '../fixtures/waiting.ts'
import {
  describeWith,
  startPrivateRabbit,
  startPrivateRedis,
  urlOf,
  type ControlledServer,
} from '../services/brokers.ts'

const starters = { redis: () => startPrivateRedis(), rabbitmq: () => startPrivateRabbit() }

for (const broker of ['redis', 'rabbitmq'] as const) {
  describeWith([broker, 'redis'], `a ${broker} that goes away and comes back`, () => {
    let server: ControlledServer
    let app: Celeriac
    const queue = 'away'

    const add = (options: { timeout?: number } = {}) =>
      app.remote<(x: number, y: number) => number>('js.add').applyAsync([20, 22], options)
    const failure = (sending: Promise<unknown>) =>
      sending.then(
        () => undefined,
        (error: unknown) => error as Error & { code: string; cause: { code: string } },
      )

    beforeAll(async () => {
      server = await starters[broker]()
      app = quietApp({ broker: server.url, backend: urlOf('redis'), taskDefaultQueue: queue })
    })

    afterAll(async () => {
      await app?.close()
      await server?.dispose()
    })

    it('is waited for by a worker that starts first', async () => {
      await server.stop()
      const urls = { broker: server.url, backend: urlOf('redis') }
      const worker = OurWorker.launch({ ...urls, queue })
      try {
        await worker.waitForRow('retrying')
        expect(worker.isRunning).toBe(true)

        await server.start()
        const startedAt = Date.now()

        const ready = await worker.waitForRow('ready')
        expect(ready.at - startedAt).toBeLessThan(2000)
        expect(await (await add()).get({ timeout: 10 })).toBe(42)
      } finally {
        await worker.stop()
      }
    })

    it('makes a send reject by its deadline, with the reason, and work again after', async () => {
      expect(await failure(add())).toBeUndefined()
      await server.kill9()

      const began = performance.now()
      const error = await failure(add({ timeout: 1 }))
      const took = performance.now() - began

      expect(error).toMatchObject({
        code: 'TASKS_SEND_FAILED',
        cause: { code: 'MESSAGING_PUBLISH_TIMEOUT' },
        message: expect.stringMatching(/js\.add.* was not sent: .*1000 ms: .*ECONNREFUSED/),
      })
      expect(took).toBeGreaterThan(900)
      expect(took).toBeLessThan(1500)
      await server.start()
      expect(await failure(add())).toBeUndefined()
    })

    it('makes 1,000 sends reject by their deadline without blocking anything', async () => {
      await server.kill9()
      let longest = 0
      let last = performance.now()
      const watch = setInterval(() => {
        const now = performance.now()
        longest = Math.max(longest, now - last - 10)
        last = now
      }, 10)

      const began = performance.now()
      const errors = await Promise.all(
        Array.from({ length: 1000 }, () => failure(add({ timeout: 1 }))),
      )
      const took = performance.now() - began
      clearInterval(watch)

      await server.start()
      expect(errors.every((error) => error?.code === 'TASKS_SEND_FAILED')).toBe(true)
      expect(took).toBeLessThan(2000)
      // The promise is 50 ms; on a busy machine a pause is not always ours.
      expect(longest).toBeLessThan(500)
      expect(await failure(add())).toBeUndefined()
    })

    it('is frozen: a send rejects by its deadline, too', async () => {
      server.pause()
      const began = performance.now()

      const error = await failure(add({ timeout: 1 }))

      server.resume()
      expect(error).toMatchObject({ code: 'TASKS_SEND_FAILED' })
      expect(performance.now() - began).toBeLessThan(2000)
      await until('it works again', async () => (await failure(add({ timeout: 2 }))) === undefined)
    })
  })
}
