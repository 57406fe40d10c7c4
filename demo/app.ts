/** The tasks of the demo: counts over real files, a task that fails twice, a delayed one, a periodic one. */
import { appendFile, readFile } from 'node:fs/promises'
import { Celeriac } from '@celeriac/tasks'
import { countText, joinCounts, reportText, type Counts } from './counting.ts'

// Broker and result store come from the environment; without it both are one SQLite file.
export const app = new Celeriac('demo', { loadConfig: true })

export const count = app.task('demo.count', async (file: string): Promise<Counts> =>
  countText(file, await readFile(file, 'utf8')),
)

export const join = app.task('demo.join', (counts: readonly Counts[]) => joinCounts(counts))

export const report = app.task('demo.report', (total: Counts) => reportText(total))

export const flaky = app.task('demo.flaky', { maxRetries: 3 }, function (word: string) {
  if (this.request.retries < 2) throw this.retry({ countdown: 0.2, cause: new Error('not yet') })
  return `${word} after ${this.request.retries} retries`
})

export const later = app.task('demo.later', (sentMs: number) => (Date.now() - sentMs) / 1000)

export const tick = app.task('demo.tick', async (file: string) => {
  await appendFile(file, `${new Date().toISOString()}\n`)
})

const ticks = process.env['DEMO_TICKS']
if (ticks !== undefined) app.addPeriodicTask(1, tick, { args: [ticks], name: 'every second' })
