// What follows an end across languages: errors and their callbacks, links, stamps, replaced tasks, retries and members
// that are added, between a Python worker and ours, sent by either.
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { chain, chord, groupOf, RemoteError } from '@celeriac/tasks'
import type { CaseSignature } from '@celeriac/tasks/testing'
import { endingOf, type Ending, type Language } from '../canvas/casting.ts'
import { serversFor, Stage } from '../canvas/stages.ts'
import { PythonClient, PythonWorker, type PyOutcome } from '../fixtures/python.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith } from '../services/brokers.ts'

type Loose = (
  ...args: readonly unknown[]
) => CaseSignature & { set(options: object): CaseSignature }
interface Row {
  readonly by: string
  readonly given: unknown
  readonly label: string
}

const languages = ['js', 'py'] as const
const clients = ['us', 'Python'] as const
const other = (language: Language): Language => (language === 'js' ? 'py' : 'js')
const chained = chain as unknown as Loose
const chorded = chord as unknown as Loose
const grouped = (...members: readonly CaseSignature[]) =>
  groupOf(members) as unknown as CaseSignature
const seconds = 30

/** What comes too often comes now. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 300))

for (const broker of ['redis', 'rabbitmq'] as const)
  for (const store of ['redis', 'postgres'] as const) {
    const servers = [...serversFor(broker, store), 'python' as const]
    describeWith(servers, `ends across languages on ${broker} with results on ${store}`, () => {
      const stage = new Stage(broker, store)
      const folder = mkdtempSync(path.join(tmpdir(), 'celeriac-endings-'))
      const file = path.join(folder, 'journal')
      let theirs: PythonWorker
      let python: PythonClient

      beforeAll(async () => {
        const options = await stage.python()
        const starts = [
          stage.start(),
          PythonWorker.start(options).then((worker) => (theirs = worker)),
          PythonClient.start(options).then((client) => (python = client)),
        ]
        await Promise.all(starts)
      }, 90_000)

      afterAll(async () => {
        await Promise.all([theirs?.stop(), python?.kill9()])
        await stage.end()
        rmSync(folder, { recursive: true, force: true })
      }, 60_000)

      /** A task of one of the workers: partial, or taking nothing from before it. */
      const made = (
        language: Language,
        name: string,
        args: readonly unknown[],
        immutable = false,
      ) => {
        const task = stage.app.remote<(...all: never[]) => unknown>(`${language}.${name}`)
        const signature = ((immutable ? task.si : task.s) as Loose)(...args)
        return signature.set({ queue: stage.queues[language] })
      }
      const s = (language: Language, name: string, ...args: readonly unknown[]) =>
        made(language, name, args)
      const si = (language: Language, name: string, ...args: readonly unknown[]) =>
        made(language, name, args, true)
      const note = (language: Language, label: string): CaseSignature =>
        (s(language, 'note') as CaseSignature & { clone(...a: unknown[]): CaseSignature }).clone(
          [],
          {
            file,
            label,
          },
        )

      const rows = (): Row[] => {
        if (!existsSync(file)) return []
        const lines = readFileSync(file, 'utf8').trim().split('\n')
        return lines.map((line) => JSON.parse(line) as Row)
      }
      const rowsOf = (label: string): Row[] => rows().filter((row) => row.label === label)

      /** Sends all at once and waits for all. */
      async function play(
        client: (typeof clients)[number],
        all: Readonly<Record<string, CaseSignature>>,
      ): Promise<Record<string, Ending>> {
        const entries = Object.entries(all)
        if (client === 'us') {
          const ends = entries.map(
            async ([name, one]) => [name, await endingOf(one, seconds)] as const,
          )
          return Object.fromEntries(await Promise.all(ends))
        }
        const given = Object.fromEntries(
          entries.map(([name, one]) => [name, { wire: one.toJSON(), lead: [] }]),
        )
        return await python.call('workflows', { given, timeout: seconds })
      }

      describe('errors', () => {
        it.each(languages)('of a step on %s, to us', async (bad) => {
          const id = randomUUID()
          const steps = chained(
            s(other(bad), 'add', 1, 2),
            s(bad, 'boom').set({ taskId: id }),
            s('js', 'add', 3),
          )

          const handle = await steps.applyAsync([])
          const error = await handle.get({ timeout: seconds }).catch((thrown: unknown) => thrown)

          expect(error).toBeInstanceOf(RemoteError)
          expect(error).toMatchObject({
            excType: 'ValueError',
            excModule: 'builtins',
            args: ['boom'],
          })
        })

        it.each(languages)('of a member on %s, to us', async (bad) => {
          const id = randomUUID()
          const failing = si(bad, 'boom').set({ taskId: id })
          const whole = chorded([failing, s(other(bad), 'add', 1, 2)], s('js', 'total'))

          const handle = await whole.applyAsync([])
          const error = await handle.get({ timeout: seconds }).catch((thrown: unknown) => thrown)

          expect(error).toMatchObject({
            excType: 'ChordError',
            excModule: 'celery.exceptions',
            args: [`Dependency ${id} raised ValueError('boom')`],
          })
        })

        it.each(languages)('of a step and a member on %s, to Python', async (bad) => {
          const [id, after, body] = [randomUUID(), randomUUID(), randomUUID()]
          const steps = chained(
            s('py', 'add', 1, 2),
            s(bad, 'boom').set({ taskId: id }),
            s('js', 'add', 3).set({ taskId: after }),
          )
          const whole = chorded(
            [si(bad, 'boom'), s(other(bad), 'add', 1, 2)],
            s('js', 'total').set({ taskId: body }),
          )

          await play('Python', { steps, whole })
          const outcomes = await Promise.all(
            [id, after, body].map((one) => python.call<PyOutcome>('get', { id: one })),
          )

          const value = { type: 'ValueError', module: 'builtins', args: ['boom'] }
          expect(outcomes.map(({ error }) => error)).toMatchObject([
            value,
            value,
            {
              type: 'ChordError',
              module: 'celery.exceptions',
              args: [expect.stringMatching(/^Dependency .*'boom'\)$/)],
            },
          ])
        })
      })

      describe.each(clients)('sent by %s', (client) => {
        it('callbacks get the result, error callbacks the id, each once', async () => {
          const all: Record<string, CaseSignature> = {}
          const expected: Record<string, Row[]> = {}
          for (const runs of languages)
            for (const by of languages) {
              const label = `${client}, ${runs} then ${by}`
              const [id, body] = [randomUUID(), randomUUID()]
              all[`${label}: link`] = s(runs, 'add', 1, 2).link(note(by, `${label}: link`))
              expected[`${label}: link`] = [{ by, given: 3, label: `${label}: link` }]
              all[`${label}: errback`] = s(runs, 'boom')
                .set({ taskId: id })
                .linkError(note(by, `${label}: errback`))
              expected[`${label}: errback`] = [{ by, given: id, label: `${label}: errback` }]
              all[`${label}: neither`] = s(runs, 'add', 1, 2).linkError(
                note(by, `${label}: neither`),
              )
              expected[`${label}: neither`] = []
              all[`${label}: body`] = chorded(
                [si(runs, 'boom'), si(runs, 'seven')],
                s(by, 'total')
                  .set({ taskId: body })
                  .linkError(note(by, `${label}: body`)),
              )
              expected[`${label}: body`] = [{ by, given: body, label: `${label}: body` }]
            }

          await play(client, all)
          const labels = Object.keys(expected)
          const wanted = Object.values(expected).flat().length
          await until('all callbacks', () => labels.flatMap(rowsOf).length >= wanted)
          await quiet()

          expect(Object.fromEntries(labels.map((label) => [label, rowsOf(label)]))).toEqual(
            expected,
          )
        })

        it('stamps are seen by both', async () => {
          const stamps = { tenant: 'a', number: 7 }
          const seen = { names: ['number', 'tenant'], stamps }
          const [js, py] = [si('js', 'stamps'), si('py', 'stamps')]
          const all = {
            js,
            py,
            'js before py': chained(js, py),
            'py before js': chained(py, js),
            header: chorded([js, py], s('js', 'echo')),
            'body on js': chorded([py, js], js),
            'body on py': chorded([js, py], py),
          }
          const stamped = Object.fromEntries(
            Object.entries(all).map(([name, one]) => [
              name,
              (one as unknown as { stamp(stamps: object): CaseSignature }).stamp(stamps),
            ]),
          )

          expect(await play(client, stamped)).toEqual(
            Object.fromEntries(
              Object.keys(all).map((name) => [
                name,
                { value: name === 'header' ? [seen, seen] : seen },
              ]),
            ),
          )
        })

        it('a replaced task is what takes its place, in chains and headers', async () => {
          const all: Record<string, CaseSignature> = {}
          const expected: Record<string, Ending> = {}
          for (const language of languages) {
            const [one, two] = [language, other(language)]
            const shapes = {
              task: si(two, 'add', 6, 7),
              chain: chained(s(one, 'add', 1, 2), s(two, 'add', 10)),
              group: grouped(si(one, 'add', 1, 2), si(two, 'add', 4, 6)),
              chord: chorded([si(one, 'add', 1, 2), si(two, 'add', 4, 6)], s(two, 'total')),
            }
            for (const [shape, signature] of Object.entries(shapes)) {
              const replaced = () => si(language, 'replaced', signature.toJSON())
              const label = `${language} by a ${shape}`
              all[`${label}, alone`] = chained(replaced(), s(two, 'total'))
              expected[`${label}, alone`] = { value: 13 }
              all[`${label}, in a chain`] = chained(
                s(two, 'add', 1, 2),
                replaced(),
                s(two, 'total'),
                s(one, 'add', 100),
              )
              expected[`${label}, in a chain`] = { value: 113 }
              all[`${label}, last`] = chained(s(two, 'add', 1, 2), replaced())
              expected[`${label}, last`] = { value: shape === 'group' ? [3, 10] : 13 }
              all[`${label}, in a header`] = chorded(
                [si(two, 'seven'), replaced(), si(one, 'seven')],
                s(two, 'total'),
              )
              expected[`${label}, in a header`] = { value: 27 }
            }
          }

          expect(await play(client, all)).toEqual(expected)
        })

        it('members that try again are waited for', async () => {
          const header = [s('js', 'flaky', 2), s('py', 'flaky', 1), s('js', 'seven')]
          const all = {
            js: chorded(header, s('js', 'total')),
            py: chorded(header, s('py', 'total')),
          }

          expect(await play(client, all)).toEqual({ js: { value: 10 }, py: { value: 10 } })
        })

        it('members that are added are waited for, where parts are counted', async () => {
          const all = Object.fromEntries(
            languages.map((language) => {
              const added = si(other(language), 'add', 50, 50).toJSON()
              const header = [si(language, 'adding', 1, added), si(other(language), 'seven')]
              return [language, chorded(header, s(language, 'total'))]
            }),
          )

          const ending = store === 'redis' ? { value: 108 } : { error: 'ChordError' }
          expect(await play(client, all)).toEqual({ js: ending, py: ending })
        })

        // Sent by Python, the group makes the header smaller than it was; with Python's parts at its end Celery itself
        // may join it never.
        it('a body runs once', async () => {
          const all: Record<string, CaseSignature> = {}
          for (let i = 0; i < 12; i++) {
            const [one, two] =
              client === 'us' && i % 2 ? (['py', 'js'] as const) : (['js', 'js'] as const)
            const inner = chained(s('py', 'add', 1, 2), grouped(s(one, 'add', 1), s(two, 'add', 2)))
            const label = `${client}, once ${String(i)}`
            const body = s(i % 3 ? 'js' : 'py', 'total').link(note(two, label))
            all[label] = chorded([inner, si(one, 'add', 1, 2)], body)
          }
          const labels = Object.keys(all)

          const found = await play(client, all)
          await until('all bodies', () => labels.flatMap(rowsOf).length >= labels.length)
          await quiet()

          expect(found).toEqual(Object.fromEntries(labels.map((label) => [label, { value: 12 }])))
          expect(labels.map((label) => rowsOf(label).length)).toEqual(labels.map(() => 1))
        })
      })
    })
  }
