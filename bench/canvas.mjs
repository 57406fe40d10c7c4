// Workflows on one Redis: chords, groups, chains and the way to a result and back, beside Celery and BullMQ's flows.
import { Redis } from 'ioredis'
import { ensurePython, startPrivateRedis } from '../scripts/services/index.mjs'
import { median, readFlags, rounds, run, start } from './measure.mjs'

const flags = readFlags({ rounds: 3, only: '', cases: '' })
const here = import.meta.dirname
const server = await startPrivateRedis({ args: ['--save', '', '--appendonly', 'no'] })
const redis = new Redis(server.url)
const python = await ensurePython()
const env = { BROKER_URL: server.url }

const node = (file) => ({
  work: [process.execPath, ['--stack-size=4000', `${here}/${file}`, 'work'], env],
  ask: (name, count) => [
    process.execPath,
    ['--stack-size=4000', `${here}/${file}`, name, String(count)],
    env,
  ],
})
const quiet = ['--without-gossip', '--without-mingle', '--without-heartbeat']
const systems = {
  ours: node('systems/canvas-ours.mjs'),
  bullmq: node('systems/canvas-bullmq.mjs'),
  floor: node('floors/brpop.mjs'),
}
if (python.path) {
  const celery = python.path.replace(/python3?$/, 'celery')
  const words = ['-A', 'canvas_celery', 'worker', '-P', 'solo', '-l', 'ERROR', ...quiet]
  systems.celery = {
    work: [celery, words, { ...env, PYTHONPATH: `${here}/systems` }],
    waits: true,
    ask: (name, count) => [
      python.path,
      [`${here}/systems/canvas_celery.py`, name, String(count)],
      env,
    ],
  }
}
// BullMQ has nothing like a group whose results come back; of Celery's, the great ones take minutes.
const cases = [
  { name: 'idle', count: 200, systems: ['ours', 'bullmq', 'celery', 'floor'] },
  { name: 'latency', count: 1000, systems: ['ours', 'bullmq', 'celery', 'floor'] },
  { name: 'chord', count: 1000, systems: ['ours', 'bullmq', 'celery'] },
  { name: 'chord', count: 10_000, systems: ['ours', 'bullmq'] },
  { name: 'group', count: 10_000, systems: ['ours', 'celery'] },
  { name: 'chain', count: 100, systems: ['ours', 'bullmq', 'celery'] },
  { name: 'chain', count: 1000, systems: ['ours', 'celery'] },
]

async function once(name, one) {
  const system = systems[name]
  await redis.flushall()
  const [command, args, environment] = system.work
  const worker = await start(command, args, environment)
  try {
    // A Python worker says nothing at this level: the first task tells that it is there.
    if (!system.waits) await worker.ready
    return await run(...system.ask(one.name, one.count))
  } finally {
    worker.child.kill('SIGTERM')
    await worker.done
  }
}

const shown = (seconds) =>
  seconds < 0.1 ? `${(seconds * 1000).toFixed(2)} ms` : `${seconds.toFixed(2)} s`

try {
  console.log(`Redis ${server.version}, Node ${process.version}, ${flags.rounds} rounds\n`)
  console.log('| case | system | median | least–most | p99 | × ours | CPU of the client |')
  console.log('|---|---|--:|--:|--:|--:|--:|')
  const wanted = flags.cases === '' ? undefined : flags.cases.split(',')
  const only = flags.only === '' ? Object.keys(systems) : flags.only.split(',')
  for (const one of cases) {
    if (wanted && !wanted.includes(one.name)) continue
    const names = one.systems.filter((name) => name in systems && only.includes(name))
    const results = await rounds(flags.rounds, names, (name) => once(name, one))
    const secondsOf = (name) => median(results.get(name).map(({ seconds }) => seconds))
    for (const name of names) {
      const all = results.get(name)
      const times = all.map(({ seconds }) => seconds)
      const p99 = ['idle', 'latency'].includes(one.name)
        ? shown(median(all.map((each) => each.p99)))
        : ''
      const cpu = median(all.map(({ cpuSeconds }) => cpuSeconds))
      const ratio = results.has('ours') ? (secondsOf(name) / secondsOf('ours')).toFixed(2) : ''
      console.log(
        `| ${one.name} of ${one.count} | ${name} | ${shown(median(times))} | ${shown(Math.min(...times))}–${shown(Math.max(...times))} | ${p99} | ${ratio} | ${shown(cpu)} |`,
      )
    }
  }
} finally {
  redis.disconnect()
  await server.dispose()
}
