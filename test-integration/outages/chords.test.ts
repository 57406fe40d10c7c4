// Chords under every fault at once: members fail, retry, expire and are delivered again, workers are killed, the
// server dies. Each chord ends in its body or in its error callback, and never in both. Long with CELERIAC_CHAOS=long.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, it } from '@jest/globals'
import { chord, groupOf, type Celeriac } from '@celeriac/tasks'
import { quietApp } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, startPrivateRedis, uniqueName } from '../services/brokers.ts'

const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const size = isLong
  ? { chords: 500, header: 50, kills: 10, restarts: 5, workers: 3 }
  : { chords: 60, header: 20, kills: 3, restarts: 2, workers: 2 }
/** Joins of broken chords go with their time. */
const resultExpires = isLong ? 90 : 25

const folder = mkdtempSync(path.join(tmpdir(), 'celeriac-chords-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type How = 'ok' | 'fail' | 'retry' | 'again' | 'expired'

/** 5 % fail, 5 % retry, 2 % are delivered again, 1 % expire; by number, so that each run is the same. */
function fateOf(chordNumber: number, member: number): How {
  // Failures are put together, or hardly any chord of fifty would end in its body.
  const isBad = chordNumber % 4 === 0
  const n = (chordNumber * 7919 + member * 104_729) % 100
  if (isBad && n < 20) return 'fail'
  if (isBad && n < 24) return 'expired'
  if (n >= 90 && n < 95) return 'retry'
  if (n >= 95 && n < 97) return 'again'
  return 'ok'
}

interface Ended {
  readonly id: string
  readonly event: 'body' | 'errback'
  readonly sum?: number
}

function ends(file: string): Map<string, Ended[]> {
  const found = new Map<string, Ended[]>()
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    // Nothing has ended yet.
  }
  for (const line of text.split('\n')) {
    if (line === '') continue
    const row = JSON.parse(line) as Ended
    found.set(row.id, [...(found.get(row.id) ?? []), row])
  }
  return found
}

/** Resolves with false when it was not confirmed: then nobody was promised anything. */
async function sendChord(app: Celeriac, file: string, number: number): Promise<boolean> {
  const part = app.remote<(how: How, ms: number, value: number) => number>('chords.part')
  const body = app.remote<(values: number[], file: string, id: string) => void>('chords.body')
  const broken = app.remote<(...given: unknown[]) => void>('chords.broken')
  const id = `chord-${number}`
  const header = Array.from({ length: size.header }, (_, i) => {
    const how = fateOf(number, i)
    const member = part.si(how, (number + i) % 20, i)
    return how === 'expired' ? member.set({ expires: 0 }) : member
  })
  const then = body.s(file, id).linkError(broken.s(file, id) as never)
  try {
    await chord(groupOf(header), then as never).delay()
    return true
  } catch {
    return false
  }
}

describeWith('redis', 'chords on Redis', () => {
  it(
    'end in their body or in their error callback, whatever dies',
    async () => {
      const server = await startPrivateRedis()
      const file = path.join(folder, 'ends.jsonl')
      const urls = { broker: server.url, backend: `${server.url}/1` }
      const queue = uniqueName('chords')
      const settings = { resultExpires }
      const app = quietApp({ ...urls, ...settings, taskDefaultQueue: queue })
      const startWorker = () => OurWorker.start({ ...urls, queue, settings, concurrency: 50 })
      const workers = await Promise.all(Array.from({ length: size.workers }, startWorker))
      try {
        await app.backend()
        const confirmed: number[] = []
        let sent = 0
        const sending = (async () => {
          for (let number = 0; number < size.chords; number++) {
            if (await sendChord(app, file, number)) confirmed.push(number)
            sent++
            await pause(10)
          }
        })()
        const share = (done: number, of: number) => (done / of) * size.chords * 0.9
        const killing = (async () => {
          for (let i = 1; i <= size.kills; i++) {
            await until('a share is sent', () => sent >= share(i, size.kills), {
              timeoutMs: 120_000,
            })
            await workers.shift()!.kill9()
            workers.push(await startWorker())
          }
        })()
        const restarting = (async () => {
          for (let i = 1; i <= size.restarts; i++) {
            await until('a share is sent', () => sent >= share(i - 0.5, size.restarts), {
              timeoutMs: 120_000,
            })
            await server.kill9()
            await server.start()
          }
        })()
        await Promise.all([sending, killing, restarting])

        const missing = (): number[] => {
          const found = ends(file)
          return confirmed.filter((number) => !found.has(`chord-${number}`))
        }
        await until('every confirmed chord has ended', () => missing().length === 0, {
          timeoutMs: 60_000,
          everyMs: 100,
          detail: () => `missing: ${missing().join(' ')}`,
        })
        // What would end twice does so soon.
        await pause(2000)
        const found = ends(file)
        const expected = (size.header * (size.header - 1)) / 2
        const wrong: string[] = []
        let twice = 0
        for (const number of confirmed) {
          const all = found.get(`chord-${number}`) ?? []
          const kinds = new Set(all.map(({ event }) => event))
          if (all.length > 1) twice++
          const fates = Array.from({ length: size.header }, (_, i) => fateOf(number, i))
          const breaks = fates.some((how) => how === 'fail' || how === 'expired')
          const isRight = kinds.size === 1 && kinds.has(breaks ? 'errback' : 'body')
          const sums = all.every(({ sum }) => breaks || sum === expected)
          if (!isRight || !sums) wrong.push(`${number}: ${JSON.stringify(all)}`)
        }
        console.info(
          `${confirmed.length} of ${size.chords} chords confirmed, ${wrong.length} wrong, ${twice} ended twice in the same way`,
        )

        expect(wrong).toEqual([])
        expect(confirmed.length).toBeGreaterThan(size.chords * 0.8)
        // Only what was under way at a fault: a worker that was killed, a server that died.
        expect(twice).toBeLessThanOrEqual((size.kills + size.restarts) * 10)

        const redis = await rawRedis(`${server.url}/1`)
        const joins = async () => {
          const keys = (await redis.keys('*')) as string[]
          return keys.filter((key) => /taskset|counted|added/.test(key))
        }
        await until('joins are over', async () => (await joins()).length === 0, {
          timeoutMs: (resultExpires + 10) * 1000,
          everyMs: 500,
        })
        redis.disconnect()
      } finally {
        await Promise.all(workers.map((worker) => worker.kill9()))
        await app.close()
        await server.dispose()
      }
    },
    isLong ? 600_000 : 150_000,
  )
})
