// One workflow over two languages: members and steps on a Python worker and on ours, each with its own queue.
// Whoever finishes a part counts it, sends what follows, and joins.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { chain, chord, group, type Celeriac } from '@celeriac/tasks'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { PythonClient, PythonWorker, type PySignature } from '../fixtures/python.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const soon = { timeout: 20 }

for (const broker of ['redis', 'rabbitmq'] as const) {
  describeWith([broker, 'redis', 'python'], `a workflow over both languages on ${broker}`, () => {
    let queues: { js: string; py: string }
    let app: Celeriac
    let ours: OurWorker
    let theirs: PythonWorker
    let python: PythonClient

    beforeAll(async () => {
      queues = { js: uniqueName('mix-js'), py: uniqueName('mix-py') }
      const urls = { broker: urlOf(broker), backend: urlOf('redis') }
      app = quietApp(urls)
      ;[ours, theirs, python] = await Promise.all([
        OurWorker.start({ ...urls, queue: queues.js }),
        PythonWorker.start({ ...urls, queue: queues.py }),
        PythonClient.start({ ...urls, queue: queues.py }),
      ])
    })

    afterAll(async () => {
      await Promise.all([ours?.stop(), theirs?.stop(), python?.kill9()])
      await app.close()
      await removeQueues(urlOf(broker), Object.values(queues))
    })

    describe('sent by us', () => {
      const adder = (lang: 'js' | 'py') =>
        app.remote<(x: number, y: number) => number>(`${lang}.add`)
      const on = (lang: 'js' | 'py') => ({
        add: (x: number, y: number) => adder(lang).s(x, y).set({ queue: queues[lang] }),
        addTo: (y: number) => adder(lang).s(y).set({ queue: queues[lang] }),
        total: () =>
          app
            .remote<(values: readonly number[]) => number>(`${lang}.total`)
            .s()
            .set({ queue: queues[lang] }),
        fail: () =>
          app
            .remote<(kind: string, message: string) => number>(`${lang}.fail`)
            .si(lang === 'js' ? 'RangeError' : 'ValueError', lang)
            .set({ queue: queues[lang] }),
      })

      it.each(['js', 'py'] as const)(
        'a chord with halves in each ends in its body on %s',
        async (body) => {
          const [js, py] = [on('js'), on('py')]
          const header = [
            js.add(1, 1),
            py.add(2, 2),
            js.add(3, 3),
            py.add(4, 4),
            js.add(5, 5),
            py.add(6, 6),
          ]

          const result = await chord(header, on(body).total()).delay()

          expect(await result.get(soon)).toBe(42)
        },
      )

      it.each(['js', 'py'] as const)(
        'a chord whose member fails on %s ends in ChordError',
        async (bad) => {
          const header = [on('js').add(1, 1), on(bad).fail(), on('py').add(4, 4)]

          const result = await chord(header, on(bad === 'js' ? 'py' : 'js').total()).delay()

          await expect(result.get(soon)).rejects.toMatchObject({ excType: 'ChordError' })
        },
      )

      it('a chain goes from one to the other and back', async () => {
        const [js, py] = [on('js'), on('py')]

        const result = await chain(
          js.add(1, 2),
          py.addTo(10),
          js.addTo(100),
          py.addTo(1000),
        ).delay()

        expect(await result.get(soon)).toBe(1113)
      })

      it('a chain into a group into a chord crosses at every step', async () => {
        const [js, py] = [on('js'), on('py')]

        const result = await chain(
          py.add(1, 2),
          group(js.addTo(10), py.addTo(20), js.addTo(30)),
          py.total(),
          group(py.addTo(1), js.addTo(2)),
          js.total(),
        ).delay()

        expect(await result.get(soon)).toBe(141)
      })
    })

    describe('sent by Python', () => {
      const on = (lang: 'js' | 'py', task: string, ...args: unknown[]): PySignature => ({
        task: `${lang}.${task}`,
        args,
        options: { queue: queues[lang] },
      })

      it.each(['js', 'py'] as const)(
        'a chord with halves in each ends in its body on %s',
        async (body) => {
          const header = [1, 2, 3, 4, 5, 6].map((i) => on(i % 2 ? 'js' : 'py', 'add', i, i))

          expect(await python.run({ chord: header, body: on(body, 'total') })).toMatchObject({
            value: 42,
            state: 'SUCCESS',
          })
        },
      )

      it('a chain goes from one to the other and back', async () => {
        const steps = [on('js', 'add', 1, 2), on('py', 'add', 10), on('js', 'add', 100)]

        expect((await python.run({ chain: steps })).value).toBe(113)
      })

      it('a chain into a group into a chord crosses at every step', async () => {
        const outcome = await python.run({
          chain: [
            on('js', 'add', 1, 2),
            { group: [on('py', 'add', 10), on('js', 'add', 20), on('py', 'add', 30)] },
            on('js', 'total'),
            { group: [on('py', 'add', 1), on('js', 'add', 2)] },
            on('py', 'total'),
          ],
        })

        expect(outcome.value).toBe(141)
      })

      it('a chord of chords crosses inside and outside', async () => {
        const inner = (x: number, body: 'js' | 'py') => ({
          chord: [on('js', 'add', x, 1), on('py', 'add', x, 2)],
          body: on(body, 'total'),
        })

        const outcome = await python.run({
          chord: [inner(10, 'js'), inner(20, 'py')],
          body: on('js', 'total'),
        })

        expect(outcome.value).toBe(66)
      })
    })
  })
}
