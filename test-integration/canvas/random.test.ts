/**
 * Random workflows with random failures: an oracle says what must come of each, and which callbacks must run; the
 * eager interpreter and workers on every broker do exactly that.
 */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@celeriac/messaging'
import {
  Celeriac,
  chain,
  chord,
  createWorker,
  groupOf,
  RemoteError,
  type Worker,
} from '@celeriac/tasks'
import type { CaseSignature } from '@celeriac/tasks/testing'
import fc from 'fast-check'
import { removeQueues } from '../fixtures/clients.ts'
import { describeWith, uniqueName, urlOf, type ServiceName } from '../services/brokers.ts'
import { predict, trees, type Prediction, type Tree } from './trees.ts'

const count = 300
/** The same workflows everywhere; a failing one is named by its number. */
const sample = fc.sample(trees, { numRuns: count, seed: 20_261_120 })

type Loose = (...args: unknown[]) => CaseSignature

/** Tasks that say who they are, and a journal of the callbacks, by the workflow they belong to. */
function makeTasks(app: Celeriac) {
  const journal = new Map<string, string[]>()
  const work = app.task('canvas.work', (...given: unknown[]) => [
    given.at(-1),
    ...given.slice(0, -1),
  ])
  const fail = app.task('canvas.fail', (..._given: unknown[]): number => {
    throw new RangeError('as told')
  })
  const note = app.task('canvas.note', function (...given: unknown[]) {
    const told = journal.get(this.request.rootId)
    const [what, label] = given.slice(-2)
    if (told) told.push(`${String(what)} ${String(label)}`)
    else journal.set(this.request.rootId, [`${String(what)} ${String(label)}`])
  })
  const loose = (task: { readonly s: unknown }): Loose => task.s as Loose
  return { journal, work: loose(work), fail: loose(fail), note: loose(note) }
}

type Tasks = ReturnType<typeof makeTasks>

function build(one: Tree, tasks: Tasks): CaseSignature {
  const { work, fail, note } = tasks
  const all = (list: readonly Tree[]): CaseSignature[] => list.map((each) => build(each, tasks))
  const caught = (made: unknown, errback: boolean): CaseSignature => {
    const signature = made as CaseSignature
    return errback ? signature.linkError(note('error', one.label)) : signature
  }
  switch (one.kind) {
    case 'task': {
      const made = one.fails ? fail(one.label) : work(one.label)
      const task = one.takes
        ? made
        : (made as unknown as { asImmutable(): CaseSignature }).asImmutable()
      return caught(one.link ? task.link(note('link', one.label)) : task, one.errback)
    }
    case 'chain':
      return caught((chain as Loose)(...all(one.steps)), one.errback)
    case 'group':
      return groupOf(all(one.members))
    case 'chord':
      return (chord as Loose)(all(one.header), build(one.body, tasks)) as never
  }
}

async function outcomeOf(getting: Promise<unknown>): Promise<object> {
  try {
    return { value: await getting }
  } catch (error) {
    return { error: error instanceof RemoteError ? error.excType : String(error) }
  }
}

/** As the prediction says it: one of the errors it allows counts as all of them. */
function told(outcome: object, notes: readonly string[], expected: Prediction): Prediction {
  const { value, error } = outcome as { value?: unknown; error?: string }
  if (error === undefined) return { value, notes }
  const errors = expected.errors?.includes(error) ? expected.errors : [error]
  return { errors, notes }
}

const until = async (isDone: () => boolean, ms: number): Promise<void> => {
  const end = performance.now() + ms
  while (!isDone() && performance.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 10))
}

interface World {
  readonly name: string
  readonly needs: readonly ServiceName[]
  settings(): { broker: string; backend: string; taskCanvasMaxBytes?: number }
}

const worlds: readonly World[] = [
  {
    name: 'memory',
    needs: [],
    settings: () => ({ broker: `memory://${randomUUID()}`, backend: `memory://${randomUUID()}` }),
  },
  {
    name: 'memory, in small messages',
    needs: [],
    settings: () => ({
      broker: `memory://${randomUUID()}`,
      backend: `memory://${randomUUID()}`,
      taskCanvasMaxBytes: 500,
    }),
  },
  {
    name: 'redis',
    needs: ['redis'],
    settings: () => ({ broker: urlOf('redis'), backend: urlOf('redis') }),
  },
  {
    name: 'rabbitmq with redis',
    needs: ['rabbitmq', 'redis'],
    settings: () => ({ broker: urlOf('rabbitmq'), backend: urlOf('redis') }),
  },
]

const quiet = { loadConfig: false, ambient: { log: silentLogger } } as const

describe(`${count} random workflows`, () => {
  it('eagerly end as predicted', async () => {
    const app = new Celeriac('random', { ...quiet, broker: 'memory://', setAsCurrent: false })
    const tasks = makeTasks(app)
    for (const [i, tree] of sample.entries()) {
      tasks.journal.clear()
      const expected = predict(tree)
      const handle = await build(tree, tasks).apply([])
      const outcome = await outcomeOf(handle.get())
      const notes = [...tasks.journal.values()].flat().toSorted()

      expect({ i, ...told(outcome, notes, expected) }).toEqual({ i, ...expected })
    }
    await app.close()
  })

  for (const { name, needs, settings } of worlds) {
    describeWith(needs, `on ${name}`, () => {
      let app: Celeriac
      let workers: Worker[]
      let tasks: Tasks
      const queue = uniqueName('random')

      beforeAll(async () => {
        const options = { ...quiet, ...settings(), taskDefaultQueue: queue, setAsCurrent: false }
        app = new Celeriac('random', options)
        tasks = makeTasks(app)
        workers = await Promise.all(
          [1, 2].map((n) =>
            createWorker(app, { pool: 'async', concurrency: 20, hostname: `w${n}` }),
          ),
        )
        await Promise.all(workers.map((worker) => worker.start()))
      })

      afterAll(async () => {
        await Promise.all(workers.map((worker) => worker.stop(1)))
        await app.close()
        if (needs.length > 0) await removeQueues(settings().broker, [queue])
      })

      it('end as predicted, each callback once with its root', async () => {
        const sent = await Promise.all(
          sample.map(async (tree) => {
            const rootId = randomUUID()
            const handle = await build(tree, tasks).applyAsync([], { rootId })
            return { tree, rootId, outcome: await outcomeOf(handle.get({ timeout: 60 })) }
          }),
        )
        const predicted = sent.map(({ tree }) => predict(tree))
        const wanted = predicted.reduce((sum, { notes }) => sum + notes.length, 0)
        const noted = (): number =>
          [...tasks.journal.values()].reduce((sum, list) => sum + list.length, 0)
        await until(() => noted() >= wanted, 20_000)
        // One more would be as wrong as one less.
        await new Promise((resolve) => setTimeout(resolve, 200))

        for (const [i, { rootId, outcome }] of sent.entries()) {
          const expected = predicted[i]!
          const notes = (tasks.journal.get(rootId) ?? []).toSorted()
          expect({ i, ...told(outcome, notes, expected) }).toEqual({ i, ...expected })
        }
      }, 120_000)
    })
  }
})
