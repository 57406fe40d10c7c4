/** The table of workflows on the eager interpreter and on a worker in memory. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { chain, chord, groupOf, RemoteError, type Celeriac } from '@celeriac/tasks'
import { canvasCases, type CaseSignature, type CaseTasks } from '@celeriac/tasks/testing'
import { setup, type Bench } from './setup.ts'

const flat = (value: unknown): number =>
  Array.isArray(value) ? value.reduce((sum: number, one) => sum + flat(one), 0) : Number(value)

function makeTasks(app: Celeriac): CaseTasks {
  const tasks = {
    add: app.task('add', (x: number, y: number) => x + y),
    total: app.task('total', (values: unknown) => flat(values)),
    echo: app.task('echo', (value: unknown) => value),
    seven: app.task('seven', () => 7),
    fail: app.task('fail', (..._given: unknown[]): number => {
      throw new RangeError('boom')
    }),
  }
  const untyped = (one: unknown): CaseSignature => one as CaseSignature
  const made =
    (name: 'add' | 'total' | 'echo' | 'fail') =>
    (...args: unknown[]) =>
      untyped((tasks[name].s as (...all: unknown[]) => unknown)(...args))
  return {
    add: made('add'),
    total: made('total'),
    echo: made('echo'),
    fail: made('fail'),
    seven: () => untyped(tasks.seven.si()),
    chain: (...steps) => untyped((chain as (...all: unknown[]) => unknown)(...steps)),
    group: (...members) => untyped(groupOf(members)),
    chord: (header, body) => untyped((chord as (...all: unknown[]) => unknown)(header, body)),
    map: (task, items) => untyped(tasks[task].map(items)),
    starmap: (task, items) => untyped(tasks[task].starmap(items as [number, number][])),
    chunks: (task, items, size) => untyped(tasks[task].chunks(items as [number, number][], size)),
  }
}

describe.each(['eagerly', 'on a worker'] as const)('workflows %s', (how) => {
  let bench: Bench
  let tasks: CaseTasks
  beforeAll(async () => {
    bench = await setup((app) => void (tasks = makeTasks(app)))
    if (how === 'on a worker') await bench.worker.start()
  })
  afterAll(() => bench.end())

  it.each(canvasCases)('$name', async ({ build, lead = [], value, error }) => {
    const signature = build(tasks)
    const handle =
      how === 'eagerly' ? await signature.apply([...lead]) : await signature.applyAsync([...lead])
    const found = await handle.get({ timeout: 5 }).catch((thrown: unknown) => thrown)
    const shown = found instanceof RemoteError ? { error: found.excType } : { value: found }

    expect(shown).toEqual(error === undefined ? { value } : { error })
  })
})

it('has names that tell its cases apart', () => {
  expect(new Set(canvasCases.map(({ name }) => name)).size).toBe(canvasCases.length)
})
