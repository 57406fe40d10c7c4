/** Results through an app and its worker: inside of tasks, ignored, eager, from tuples, with tracebacks. */
import { afterEach, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@celeriac/messaging'
import {
  allowJoinResult,
  AsyncResult,
  Celeriac,
  chain,
  createWorker,
  EagerResult,
  group,
  GroupResult,
  RemoteError,
  resultFromTuple,
  WouldBlockError,
  type AppOptions,
  type Worker,
} from '../../src/index.ts'

const soon = { timeout: 10 }
const open: (Celeriac | Worker)[] = []

afterEach(async () => {
  for (const one of open.splice(0).toReversed())
    await (one instanceof Celeriac ? one.close() : one.stop(0.1))
})

let apps = 0
async function working(options: AppOptions = {}) {
  const app = new Celeriac('results', {
    broker: `memory://results-${++apps}`,
    loadConfig: false,
    ambient: { log: silentLogger },
    ...options,
  })
  const add = app.task('add', (x: number, y: number) => x + y)
  const tasks = {
    add,
    boom: app.task('boom', (): number => {
      throw new RangeError('boom')
    }),
    silent: app.task('silent', { ignoreResult: true }, () => 'nobody asks'),
    waits: app.task('waits', async (how: 'plain' | 'said' | 'allowed') => {
      const result = await add.delay(1, 2)
      if (how === 'said') return await result.get({ ...soon, disableSyncSubtasks: false })
      if (how === 'allowed') return await allowJoinResult(() => result.get(soon))
      return await result.get(soon)
    }),
    applies: app.task('applies', async () => await (await add.apply([3, 4])).get()),
  }
  open.push(app)
  const worker = await createWorker(app, { pool: 'async', concurrency: 4 })
  open.push(worker)
  await worker.start()
  return { app, ...tasks }
}

describe('inside of a task', () => {
  it('waiting for another is refused, unless it is said to be meant or has ended', async () => {
    const { waits, applies } = await working()

    const refused = (await waits.delay('plain')).get(soon)
    await expect(refused).rejects.toMatchObject({ excModule: 'builtins', excType: 'RuntimeError' })
    await expect(refused).rejects.toThrow(new WouldBlockError().message)
    expect(await (await waits.delay('said')).get(soon)).toBe(3)
    expect(await (await waits.delay('allowed')).get(soon)).toBe(3)
    expect(await (await applies.delay()).get(soon)).toBe(7)
  })
})

describe('a task that stores nothing', () => {
  it('is not waited for', async () => {
    const { add, silent, app } = await working()
    const said = await add.applyAsync([1, 2], { ignoreResult: true })
    const [many] = await add.applyAsyncMany([[1, 2]], { ignoreResult: true })

    expect([said.ignored, many!.ignored, (await silent.delay()).ignored]).toEqual([
      true,
      true,
      true,
    ])
    expect([await said.get(), await (await silent.delay()).get()]).toEqual([undefined, undefined])
    expect([(await add.delay(1, 1)).ignored, (await app.result('x')).ignored]).toEqual([
      false,
      false,
    ])
    const all = await working({ taskIgnoreResult: true })
    expect((await all.add.delay(1, 2)).ignored).toBe(true)
  })
})

describe('results of apply()', () => {
  it('are of a type of their own, have ended, and reach nobody', async () => {
    const { add } = await working({ broker: 'memory://nobody' })
    const one = await add.apply([1, 2])
    const both = await group(add.s(1, 1), add.s(2, 2)).apply([])

    expect(one).toBeInstanceOf(EagerResult)
    expect([one.isEager, both.isEager]).toEqual([true, true])
    expect([await one.ready(), await one.get(), await both.get()]).toEqual([true, 3, [2, 4]])
    expect([await one.revoke(), await both.revoke()]).toEqual([[], []])
    await one.forget()
    expect(await one.get()).toBe(3)
    expect(await one.supportsNativeJoin()).toBe(false)
    expect(await (await add.delay(1, 1)).supportsNativeJoin()).toBe(true)
  })
})

describe('a tuple', () => {
  it('is the same result again', async () => {
    const { app, add } = await working()
    const steps = await chain(add.s(1, 2), add.s(4)).delay()
    const again = await app.resultFromTuple(JSON.parse(JSON.stringify(steps)))
    const both = await group(add.s(1, 1), add.s(2, 2)).delay()

    expect(again).toBeInstanceOf(AsyncResult)
    expect([await again.get(soon), await again.parent?.get(soon)]).toEqual([7, 3])
    const found = await resultFromTuple(both.asTuple(), app)
    expect(found).toBeInstanceOf(GroupResult)
    expect(await found.get(soon)).toEqual([2, 4])
    expect((await resultFromTuple(['an-id', null], app)).id).toBe('an-id')
  })

  it.each([[null], ['x'], [[]], [[['a', 7], null]], [[['a'], [3]]]])(
    'refuses %j',
    async (tuple) => {
      const { app } = await working()

      await expect(app.resultFromTuple(tuple)).rejects.toMatchObject({
        code: 'TASKS_RESULT_INVALID',
      })
    },
  )
})

describe('taskRemoteTracebacks', () => {
  it('shows where the task threw', async () => {
    for (const taskRemoteTracebacks of [true, false]) {
      const { boom } = await working({ taskRemoteTracebacks })
      const error = await (await boom.delay()).get({ ...soon, propagate: false })

      expect(error).toBeInstanceOf(RemoteError)
      const { stack } = error as unknown as Error
      expect(stack?.includes('Traceback (most recent call last)')).toBe(taskRemoteTracebacks)
    }
  })
})
