/** Tasks that run in the caller: the same outcome as on a worker, without a broker. */
import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '@celeriac/messaging'
import { Celeriac, chain, chord, group, Ignore, type AppOptions } from '../../src/index.ts'

function makeApp(options: AppOptions = {}) {
  const app = new Celeriac('eager', {
    broker: 'memory://nobody-listens',
    loadConfig: false,
    ambient: { log: silentLogger },
    ...options,
  })
  const seen: unknown[] = []
  return {
    app,
    seen,
    add: app.task('add', (x: number, y: number) => x + y),
    sum: app.task('sum', (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0)),
    note: app.task('note', (...given: unknown[]) => void seen.push(given)),
    boom: app.task('boom', (_x: number): number => {
      throw new RangeError('boom')
    }),
    flaky: app.task('flaky', { maxRetries: 3 }, function (limit: number) {
      if (this.request.retries < limit) throw this.retry({ countdown: 3600 })
      return [this.request.retries, this.request.isEager]
    }),
    ignored: app.task('ignored', () => {
      throw new Ignore()
    }),
  }
}

describe('apply()', () => {
  it('runs tasks and workflows here and now', async () => {
    const { app, add, sum } = makeApp()

    expect(await (await add.apply([1, 2])).get()).toBe(3)
    expect(await (await chain(add.s(1, 2), add.s(4)).apply([])).get()).toBe(7)
    const steps = await chain(add.s(2), add.s(4)).apply([1])
    expect([await steps.get(), await steps.parent?.get()]).toEqual([7, 3])
    const two = await group(add.s(1, 1), add.s(2, 2)).apply([])
    expect(await two.get()).toEqual([2, 4])
    expect(await two.successful()).toBe(true)
    const joined = chord([add.s(1, 1), chord([add.s(1, 1), add.s(1, 2)], sum.s())], sum.s())
    expect(await (await joined.apply([])).get()).toBe(7)
    await app.close()
  })

  it('retries at once, and ends when no retries are left', async () => {
    const { flaky } = makeApp()

    expect(await (await flaky.apply([2])).get()).toEqual([2, true])
    await expect((await flaky.apply([9])).get()).rejects.toMatchObject({
      excType: 'MaxRetriesExceededError',
    })
  })

  it('calls back, and keeps or throws what went wrong', async () => {
    const { boom, add, note, seen } = makeApp()
    const failed = await boom.apply([1], { linkError: note.si('failed') })
    await add.apply([1, 2], { link: note.s('ok') })

    expect(seen).toEqual([['failed'], [3, 'ok']])
    expect(await failed.state).toBe('FAILURE')
    await expect(failed.get()).rejects.toThrow('boom')
    await expect(boom.apply([1], { throw: true })).rejects.toThrow('boom')
  })

  it('says that an ignored task has no result instead of waiting for it', async () => {
    const { ignored } = makeApp()

    await expect((await ignored.apply([])).get()).rejects.toMatchObject({ code: 'TASKS_NOT_READY' })
  })

  it('writes and reads arguments as on the wire', async () => {
    const { app } = makeApp()
    const same = app.task('same', (x: unknown) => x)
    const circle: unknown[] = []
    circle.push(circle)

    expect(await (await same.apply([{ when: new Date(0), none: undefined }])).get()).toEqual({
      when: new Date(0),
    })
    await expect(same.apply([circle])).rejects.toMatchObject({ code: 'TASKS_ARGUMENTS_INVALID' })
  })
})

describe('taskAlwaysEager', () => {
  it('runs what is sent, also from inside of tasks, without touching the broker', async () => {
    const { app, add } = makeApp({ taskAlwaysEager: true })
    const outer = app.task('outer', async (n: number) => await (await add.delay(n, 1)).get())

    expect(await (await outer.delay(41)).get()).toBe(42)
    expect(
      await Promise.all(
        (
          await add.applyAsyncMany([
            [1, 1],
            [2, 2],
          ])
        ).map((r) => r.get()),
      ),
    ).toEqual([2, 4])
  })

  it('throws where it is told to', async () => {
    const { boom } = makeApp({ taskAlwaysEager: true, taskEagerPropagates: true })

    await expect(boom.delay(1)).rejects.toThrow('boom')
  })

  it('keeps results in the backend where it is told to', async () => {
    const backend = 'memory://eager-kept'
    const kept = makeApp({ taskAlwaysEager: true, taskStoreEagerResult: true, backend })
    const lost = makeApp({ taskAlwaysEager: true, backend })
    const [one, other] = [await kept.add.delay(1, 2), await lost.add.delay(1, 2)]

    expect(await (await kept.app.result(one.id)).state).toBe('SUCCESS')
    expect(await (await kept.app.result(other.id)).state).toBe('PENDING')
  })
})
