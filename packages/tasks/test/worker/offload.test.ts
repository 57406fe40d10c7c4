/** Long workflows in small messages: what comes after is kept in the result backend. */
import { afterEach, describe, expect, it } from '@jest/globals'
import {
  chain,
  chainOf,
  chord,
  groupOf,
  type AppOptions,
  type AsyncResult,
  type Celeriac,
} from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

const timeout = 20

/** A chain of steps made at run time, whose types nobody can know. */
const loosely = chain as unknown as (...steps: readonly unknown[]) => {
  delay(): Promise<AsyncResult<number>>
}

function tasks(app: Celeriac) {
  return {
    add: app.task('add', (x: number, y: number) => x + y),
    one: app.task('one', () => 1),
    size: app.task('size', (xs: readonly number[]) => xs.length),
    boom: app.task('boom', (_x: unknown): number => {
      throw new RangeError('boom')
    }),
  }
}

async function started(options: AppOptions = {}) {
  let made!: ReturnType<typeof tasks>
  bench = await setup((app) => void (made = tasks(app)), options, 100)
  const seen = { messages: 0, bytes: 0, largest: 0 }
  bench.app.signals.on('beforeTaskPublish', ({ headers, body }) => {
    const bytes = JSON.stringify(headers).length + JSON.stringify(body).length
    seen.messages++
    seen.bytes += bytes
    seen.largest = Math.max(seen.largest, bytes)
  })
  await bench.worker.start()
  return { ...made, seen }
}

describe('taskCanvasMaxBytes', () => {
  it('keeps the messages of a long chain small', async () => {
    const { add, seen } = await started({ taskCanvasMaxBytes: 2048 })
    const steps = Array.from({ length: 300 }, () => add.s(1))
    const result = await chain(add.s(0, 1), chainOf(steps)).delay()

    expect(await result.get({ timeout })).toBe(301)
    expect(seen.largest).toBeLessThan(2048 + 1500)
    expect(seen.bytes / 301).toBeLessThan(3000)
  })

  it('publishes at most 2 KB for each task of fifty chords of a hundred in a chain', async () => {
    const { one, size, seen } = await started({ taskCanvasMaxBytes: 1024 })
    const parts = Array.from({ length: 50 }, () =>
      chord(groupOf(Array.from({ length: 100 }, () => one.si())), size.s()),
    )
    const result = await loosely(...parts).delay()

    expect(await result.get({ timeout: 60 })).toBe(100)
    expect(seen.messages).toBeGreaterThan(50 * 101)
    expect(seen.bytes / (50 * 101)).toBeLessThan(2048)
  })

  it('tells everybody who waits when something fails', async () => {
    const { add, boom, one, size } = await started({ taskCanvasMaxBytes: 512 })
    const steps = Array.from({ length: 20 }, () => add.s(1))
    const result = await chain(add.s(0, 1), chainOf(steps), boom.s(), chainOf(steps)).delay()
    await expect(result.get({ timeout })).rejects.toThrow('boom')

    const header = [one.si(), boom.s(1)]
    const joined = await chain(chord(header, size.s()), chainOf(steps)).delay()
    await expect(joined.get({ timeout })).rejects.toMatchObject({ excType: 'ChordError' })
  })

  it('changes nothing where it is not set', async () => {
    const { add, seen } = await started()
    const steps = Array.from({ length: 50 }, () => add.s(1))
    await (await loosely(add.s(0, 1), ...steps).delay()).get({ timeout })

    expect(seen.largest).toBeGreaterThan(8000)
    expect(seen.messages).toBe(51)
  })

  it('tells who waits when what was kept is gone', async () => {
    const { add, boom } = await started({ taskCanvasMaxBytes: 1024 })
    const { app } = bench!
    const backend = await app.backend()
    const store = backend.store.bind(backend)
    const kept: string[] = []
    Object.assign(backend, {
      store: async (results: Parameters<typeof store>[0]) => {
        for (const { id, state } of results) if (state === 'CELERIAC_KEPT') kept.push(id)
        await store(results)
        await backend.forget(kept)
      },
    })
    const steps = Array.from({ length: 30 }, () => add.s(1))
    const gone = await loosely(add.s(0, 1), ...steps).delay()
    const failed = await loosely(boom.s(1), ...steps).delay()

    expect(kept.length).toBeGreaterThan(1)
    for (const { id } of [gone, failed])
      await expect((await app.result(id)).get({ timeout })).rejects.toThrow(
        'no longer in the result',
      )
  })
})
