/**
 * The demo: an embedded broker, a worker as a process of its own with a pool of child processes, and beat;
 * a real workflow over this repository's documents; the results beside a direct computation. Exits with 1
 * when anything differs.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { chain, GroupResult, groupOf } from '@celeriac/tasks'
import { countText, joinCounts, reportText } from './counting.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = await mkdtemp(path.join(tmpdir(), 'celeriac-demo-'))
const ticksFile = path.join(folder, 'ticks.txt')
process.env['BROKER_URL'] = `sqlite://${path.join(folder, 'broker.db')}`
process.env['DEMO_TICKS'] = ticksFile
const { app, count, flaky, join, later, report } = await import('./app.ts')

const deadlineSeconds = 30
let failures = 0

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Shows one result beside what was expected of it, with the time it took. */
function show(what: string, found: unknown, expected: unknown, startedMs: number): void {
  const same = JSON.stringify(found) === JSON.stringify(expected)
  if (!same) failures++
  const took = `${(performance.now() - startedMs).toFixed(0)} ms`
  say(`${same ? '  ok  ' : ' FAIL '} ${what.padEnd(34)} ${took.padStart(8)}   ${String(found)}`)
  if (!same) say(`       expected: ${String(expected)}`)
}

async function documents(): Promise<string[]> {
  const found = await readdir(root, { recursive: true, withFileTypes: true })
  return found
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !file.includes('node_modules'))
    .toSorted()
}

async function startWorker(): Promise<ChildProcess> {
  const cli = path.join(root, 'apps/cli/bin/celeriac.js')
  const schedule = path.join(folder, 'beat.json')
  const worker = spawn(
    process.execPath,
    [
      cli,
      '-A',
      path.join(root, 'demo/app.ts'),
      'worker',
      '-B',
      '-s',
      schedule,
      '-P',
      'processes',
      '-c',
      '2',
      '-l',
      'warning',
    ],
    { stdio: ['ignore', 'inherit', 'inherit'], cwd: root, env: process.env },
  )
  return worker
}

/** Says how many members of the group are done, until all are. */
async function showProgress(group: unknown, count: number): Promise<void> {
  if (!(group instanceof GroupResult)) throw new Error('the workflow does not begin with a group')
  const end = performance.now() + deadlineSeconds * 1000
  for (let done = -1; done < count && performance.now() < end;) {
    const now = await group.completedCount()
    if (now !== done) {
      const bar = '#'.repeat(Math.round((now / count) * 30)).padEnd(30, '.')
      const line = `  [${bar}] ${now} of ${count}`
      if (process.stdout.isTTY) process.stdout.write(`\r${line}${now === count ? '\n' : ''}`)
      else say(line)
    }
    done = now
    if (done < count) await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function workflow(): Promise<void> {
  const files = await documents()
  const direct = performance.now()
  const expected = reportText(
    joinCounts(
      await Promise.all(files.map(async (file) => countText(file, await readFile(file, 'utf8')))),
    ),
  )
  const directMs = (performance.now() - direct).toFixed(1)

  say(`counting ${files.length} documents: a group, joined, then a report`)
  let started = performance.now()
  const sent = await chain(
    groupOf(files.map((file) => count.s(file))),
    join.s(),
    report.s(),
  ).delay()
  await showProgress(sent.parent?.parent, files.length)
  show('group, join, report', await sent.get({ timeout: deadlineSeconds }), expected, started)
  say(`       computed directly                  ${directMs.padStart(5)} ms   ${expected}`)

  started = performance.now()
  const retried = await flaky.delay('done')
  const text = await retried.get({ timeout: deadlineSeconds })
  show('fails twice, retries', text, 'done after 2 retries', started)

  started = performance.now()
  const delayed = await later.applyAsync([Date.now()], { countdown: 1 })
  const seconds = await delayed.get({ timeout: deadlineSeconds })
  show('countdown of one second', seconds >= 1 && seconds < 2, true, started)

  started = performance.now()
  const ticks = async (): Promise<number> =>
    (await readFile(ticksFile, 'utf8').catch(() => '')).split('\n').length - 1
  while ((await ticks()) < 2 && performance.now() - started < deadlineSeconds * 1000)
    await new Promise((resolve) => setTimeout(resolve, 50))
  show('a tick each second, from beat', (await ticks()) >= 2, true, started)
}

say(`embedded broker: ${process.env['BROKER_URL']}`)
const worker = await startWorker()
const died = once(worker, 'exit').then(([code]) => {
  throw new Error(`the worker ended early, exit code ${String(code)}`)
})
died.catch(() => undefined)
try {
  await Promise.race([workflow(), died])
} catch (error) {
  failures++
  say(` FAIL  ${error instanceof Error ? error.message : String(error)}`)
} finally {
  await app.close()
  if (worker.exitCode === null) {
    worker.kill('SIGTERM')
    const [code] = (await once(worker, 'exit')) as [number | null]
    if (code !== 0) failures++
    say(`worker stopped, exit code ${String(code)}`)
  }
  await rm(folder, { recursive: true, force: true })
}
say(failures === 0 ? 'everything is as computed directly' : `${failures} differences`)
process.exit(failures === 0 ? 0 : 1)
