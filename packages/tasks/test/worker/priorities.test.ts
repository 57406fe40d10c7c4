/** `taskInheritParentPriority`: what a task sends, and what follows it. */
import { afterEach, expect, it } from '@jest/globals'
import { chain, chord, type Celeriac } from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

async function started(inherits: boolean) {
  const seen = new Map<string, unknown>()
  const define = (app: Celeriac) => {
    const child = app.task('child', () => 1)
    const declared = app.task('declared', { priority: 2 }, () => 1)
    return {
      parent: app.task('parent', async () => {
        await child.si().set({ priority: 3 }).delay()
        await declared.delay()
        return 1
      }),
      add: app.task('add', (x: number) => x),
      last: app.task('last', (x: number) => x),
      size: app.task('size', (xs: readonly number[]) => xs.length),
    }
  }
  let made!: ReturnType<typeof define>
  bench = await setup((app) => void (made = define(app)), { taskInheritParentPriority: inherits })
  bench.app.signals.on('beforeTaskPublish', ({ task, properties }) => {
    seen.set(task, properties['priority'])
  })
  await bench.worker.start()
  return { ...made, seen }
}

it.each([
  [true, 7],
  [false, undefined],
])('set to %s: steps, links and bodies get %s', async (inherits, expected) => {
  const { add, last, size, seen } = await started(inherits)
  const steps = chain(add.s(1).set({ priority: 7 }), last.s())
  const result = await chord([steps], size.s()).delay()

  expect(await result.get({ timeout: 8 })).toBe(1)
  expect([seen.get('last') || undefined, seen.get('size') || undefined]).toEqual([
    expected,
    expected,
  ])
})

it('leaves the priority that a call or a declaration has', async () => {
  const { parent, seen } = await started(true)
  const result = await parent.applyAsync([], { priority: 7 })

  await result.get({ timeout: 8 })
  expect([seen.get('child'), seen.get('declared')]).toEqual([3, 2])
})
