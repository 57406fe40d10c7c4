// Deploys: workers are told to stop under load, one after the other. What runs is finished or, when its time
// is over, handed back at once; what has finished is never run again; nothing is lost; the exit code is 0.
import { expect, it } from '@jest/globals'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { Ledger } from '../fixtures/ledger.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const stops = 10
const tasks = 800

for (const broker of ['redis', 'rabbitmq'] as const) {
  describeWith(broker, `stopping workers on ${broker}`, () => {
    it(`${String(stops)} × under load loses nothing, repeats nothing finished, and exits 0`, async () => {
      const queue = uniqueName('sigterm')
      const urls = { broker: urlOf(broker) }
      const ledger = new Ledger()
      const app = quietApp({ ...urls, taskDefaultQueue: queue })
      const mark = app.remote<(...args: unknown[]) => unknown>('js.mark')
      const start = () => OurWorker.start({ ...urls, queue, concurrency: 8, grace: 0.4 })
      const workers = [await start(), await start()]
      const handedBack: { id: string; pid: number; at: number }[] = []

      try {
        const ids = Array.from({ length: tasks }, (_, i) => String(i))
        // Every tenth outlives the grace.
        await Promise.all(
          ids.map((id, i) => mark.applyAsync([ledger.file, id, i % 10 === 0 ? 900 : 40, i])),
        )
        for (let i = 0; i < stops; i++) {
          const worker = workers.shift()!
          await until('it is busy', () => ledger.unfinished(worker.pid).length >= 4, {
            timeoutMs: 5000,
          }).catch(() => undefined)
          const exit = await worker.stop()
          const at = worker.rows('stopped')[0]?.at ?? Infinity
          expect(exit).toEqual({ code: 0, signal: null })
          for (const id of ledger.unfinished(worker.pid))
            handedBack.push({ id, pid: worker.pid, at })
          workers.push(await start())
        }

        await until('all have ended', () => ledger.ends().size === tasks, { timeoutMs: 40_000 })

        const delays = handedBack.map(({ id, pid, at }) => {
          const again = ledger
            .rows()
            .filter(
              (row) =>
                row.id === id && row.event === 'start' && row.pid !== pid && row.at > at - 700,
            )
          return Math.min(Infinity, ...again.map((row) => row.at)) - at
        })
        const slowest = Math.max(...delays)
        console.info(
          `${broker}: ${String(handedBack.length)} handed back, the slowest began again after ${String(slowest)} ms`,
        )
        expect([...ledger.ends().values()].filter((times) => times !== 1)).toEqual([])
        expect(handedBack.length).toBeGreaterThan(stops / 2)
        expect(slowest).toBeLessThan(1000)
      } finally {
        await Promise.all(workers.map((worker) => worker.kill9()))
        await app.close()
        await removeQueues(urls.broker, [queue])
        ledger.dispose()
      }
    })
  })
}
