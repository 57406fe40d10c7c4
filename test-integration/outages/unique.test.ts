// Unique tasks among many producers and several worker processes on Redis: exactly as many runs as the mode allows,
// the newest is the last, and a key whose owner was killed is free again soon. Long with CELERIAC_CHAOS=long.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import type { Celeriac, UniqueMode } from '@celeriac/tasks'
import { defineUnique } from '../fixtures/celeriac-app.mjs'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const producers = 50
const sends = isLong ? 1000 : 40

const folder = mkdtempSync(path.join(tmpdir(), 'celeriac-unique-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Row {
  readonly event: 'begin' | 'end'
  readonly n: number
  readonly at: number
  readonly pid: number
}

function rows(file: string): Row[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n')
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Row)
  } catch {
    return []
  }
}

describeWith('redis', 'unique tasks on Redis', () => {
  const queue = uniqueName('unique')
  let app: Celeriac
  let tasks: ReturnType<typeof defineUnique>
  let workers: OurWorker[] = []
  const urls = () => ({ broker: urlOf('redis'), backend: urlOf('redis') })
  const startWorker = () => OurWorker.start({ ...urls(), queue, concurrency: 20 })

  beforeAll(async () => {
    app = quietApp({ ...urls(), taskDefaultQueue: queue })
    tasks = defineUnique(app)
    workers = [await startWorker(), await startWorker()]
  })

  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.stop()))
    await app.close()
    await removeQueues(urlOf('redis'), [queue])
  })

  /** All producers at once; resolves with the number of those that were refused. */
  async function flood(mode: UniqueMode, key: string, ms: number, file: string): Promise<number> {
    let n = 0
    let refused = 0
    await Promise.all(
      Array.from({ length: producers }, async () => {
        for (let i = 0; i < sends; i++) {
          await tasks[mode].delay(key, ++n, ms, file).catch((error: { code?: string }) => {
            if (error.code !== 'TASKS_DUPLICATE') throw error
            refused++
          })
        }
      }),
    )
    return refused
  }

  it('reject: one runs, all others are refused while it does', async () => {
    const file = path.join(folder, 'reject')
    const refused = await flood('reject', uniqueName('key'), isLong ? 120_000 : 8000, file)
    const begun = rows(file).filter(({ event }) => event === 'begin')

    expect(refused).toBe(producers * sends - 1)
    expect(begun).toHaveLength(1)
  }, 240_000)

  it('throttle: one runs', async () => {
    const file = path.join(folder, 'throttle')
    await flood('throttle', uniqueName('key'), 0, file)
    await until('it has run', () => rows(file).some(({ event }) => event === 'end'))
    await pause(300)

    expect(rows(file).filter(({ event }) => event === 'begin')).toHaveLength(1)
  }, 240_000)

  it('debounce: one runs when the burst is over, and it is the last', async () => {
    const file = path.join(folder, 'debounce')
    await flood('debounce', uniqueName('key'), 0, file)
    await until('it has run', () => rows(file).some(({ event }) => event === 'end'), {
      timeoutMs: 60_000,
    })
    await pause(1500)
    const begun = rows(file).filter(({ event }) => event === 'begin')

    expect(begun.length).toBeLessThanOrEqual(isLong ? 50 : 3)
    // Sends of one turn may overtake each other; the last of them is among the last producers'.
    expect(begun.at(-1)!.n).toBeGreaterThan(producers * sends - producers)
  }, 240_000)

  it('keep-last: never two at once, and the newest is the last', async () => {
    const file = path.join(folder, 'keep-last')
    const key = uniqueName('key')
    await flood('keep-last', key, 20, file)
    const final = producers * sends + 1
    await tasks['keep-last'].delay(key, final, 20, file)
    await until(
      'the newest has run',
      () => rows(file).some(({ n, event }) => n === final && event === 'end'),
      {
        timeoutMs: 60_000,
      },
    )
    await pause(1500)
    const found = rows(file)

    expect(found.at(-1)).toMatchObject({ n: final, event: 'end' })
    // Begin and end alternate: nothing ran beside another.
    expect(found.map(({ event }) => event)).toEqual(
      Array.from({ length: found.length / 2 }, () => ['begin', 'end']).flat(),
    )
  }, 240_000)

  it('a key whose owner was killed is free within 15 s, and what it ran is run again', async () => {
    const file = path.join(folder, 'killed')
    const key = uniqueName('key')
    await tasks.reject.delay(key, 1, 30_000, file)
    await until('it runs', () => rows(file).length === 1)
    const [{ pid }] = rows(file) as [Row]
    const owner = workers.find((worker) => worker.pid === pid)!
    workers = [...workers.filter((worker) => worker !== owner), await startWorker()]
    await owner.kill9()
    const killed = Date.now()

    await until(
      'it runs again, or its key is free',
      async () => {
        if (rows(file).length > 1) return true
        const sent = await tasks.reject.delay(key, 2, 0, file).catch(() => undefined)
        return sent !== undefined
      },
      { timeoutMs: 20_000, everyMs: 200 },
    )
    expect(Date.now() - killed).toBeLessThan(16_000)
  }, 60_000)
})
