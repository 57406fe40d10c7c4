// A Python worker and ours side by side on one queue: nothing runs twice, nothing is lost, and when ours is
// killed with tasks in flight the rest is run as well.
import { expect, it } from '@jest/globals'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { Ledger } from '../fixtures/ledger.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { PythonClient, PythonWorker } from '../fixtures/python.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

for (const broker of ['redis', 'rabbitmq'] as const) {
  describeWith([broker, 'redis', 'python'], `one queue, two languages, on ${broker}`, () => {
    it('1,000 tasks of two clients run exactly once each, with the right results', async () => {
      const queue = uniqueName('both')
      const urls = { broker: urlOf(broker), backend: urlOf('redis') }
      const ledger = new Ledger()
      await using app = quietApp({ ...urls, taskDefaultQueue: queue })
      const mark =
        app.remote<(file: string, id: string, ms: number, value: number) => number>('both.mark')
      const [ours, theirs, python] = await Promise.all([
        OurWorker.start({ ...urls, queue, concurrency: 2 }),
        PythonWorker.start({ ...urls, queue, concurrency: 2 }),
        PythonClient.start({ ...urls, queue }),
      ])

      try {
        const sent = Promise.all(
          numbers(500).map((i) => mark.delay(ledger.file, `js-${String(i)}`, 2, i)),
        )
        const ids = await python.call<string[]>('send_many', {
          task: 'both.mark',
          argument_lists: numbers(500).map((i) => [ledger.file, `py-${String(i)}`, 2, i]),
          queue,
        })
        const jsResults = (await sent).map((result) => result.get({ timeout: 40 }))
        const pyResults = python.call<number[]>('get_many', { ids })

        expect(await Promise.all(jsResults)).toEqual(numbers(500))
        expect(await pyResults).toEqual(numbers(500))
        const ended = ledger.ends()
        expect(ended.size).toBe(1000)
        expect([...ended.values()].filter((times) => times !== 1)).toEqual([])
        const by = (lang: string) =>
          ledger.rows().filter((row) => row.event === 'end' && row.by === lang).length
        expect(by('js')).toBeGreaterThan(50)
        expect(by('py')).toBeGreaterThan(50)
      } finally {
        await Promise.all([ours.stop(), theirs.stop(), python.kill9()])
        await removeQueues(urls.broker, [queue])
        ledger.dispose()
      }
    })

    it('what a killed worker of ours held is run by Python within 20 s, and nothing is lost', async () => {
      const queue = uniqueName('both-kill')
      const urls = { broker: urlOf(broker), backend: urlOf('redis') }
      const ledger = new Ledger()
      // On Redis it is any session of ours, here the client's, that finds the dead one.
      await using app = quietApp({ ...urls, taskDefaultQueue: queue })
      const mark =
        app.remote<(file: string, id: string, ms: number, value: number) => number>('both.mark')
      const [ours, theirs] = await Promise.all([
        OurWorker.start({ ...urls, queue, concurrency: 10 }),
        PythonWorker.start({ ...urls, queue, concurrency: 2 }),
      ])

      try {
        const results = await Promise.all(
          numbers(60).map((i) => mark.delay(ledger.file, String(i), 200, i)),
        )
        await until('our worker is busy', () => ledger.unfinished(ours.pid).length === 10)
        await ours.kill9()
        const killedAt = Date.now()
        const cut = ledger.unfinished(ours.pid)

        const values = await Promise.all(results.map((result) => result.get({ timeout: 40 })))

        expect(cut.length).toBeGreaterThan(0)
        expect(values).toEqual(numbers(60))
        const again = ledger
          .rows()
          .filter((row) => cut.includes(row.id) && row.event === 'end' && row.at > killedAt)
        expect(new Set(again.map(({ id }) => id))).toEqual(new Set(cut))
        const lastAt = Math.max(...again.map(({ at }) => at))
        console.info(
          `${broker}: ${String(cut.length)} tasks of a killed worker done ${String(lastAt - killedAt)} ms after`,
        )
        expect(lastAt - killedAt).toBeLessThan(22_000)
      } finally {
        await Promise.all([ours.kill9(), theirs.stop()])
        await removeQueues(urls.broker, [queue])
        ledger.dispose()
      }
    })
  })
}
