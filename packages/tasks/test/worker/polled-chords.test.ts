/** Chords where the store of results cannot count: a task looks for their end. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, describe, expect, it } from '@jest/globals'
import { chord, type Celeriac } from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'celeriac-polled-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

const tasks = (app: Celeriac) => ({
  add: app.task('add', (x: number, y: number) => x + y),
  sum: app.task('sum', (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0)),
})

async function started(resultExpires: number) {
  let made!: ReturnType<typeof tasks>
  bench = await setup((app) => void (made = tasks(app)), {
    backend: `file://${folder}`,
    resultExpires,
    resultChordRetryInterval: 0.1,
  })
  await bench.worker.start()
  return made
}

describe('a chord on a store that cannot count', () => {
  it('ends when its members have, also when they begin later than results are kept', async () => {
    const { add, sum } = await started(1)
    const late = (x: number) => add.s(x, x).set({ countdown: 1.4 })

    expect(await (await chord([late(1), late(2)], sum.s()).delay()).get({ timeout: 10 })).toBe(6)
  })

  it('is given up when the first of its results are gone', async () => {
    const { add, sum } = await started(1)
    const never = add.s(2, 2).set({ queue: 'nobody-here' })
    const result = await chord([add.s(1, 1), never], sum.s()).delay()

    await expect(result.get({ timeout: 10 })).rejects.toMatchObject({ excType: 'ChordError' })
  })
})
