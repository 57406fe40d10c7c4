// Task queues on one Redis: enqueue awaited and in bulk, drain with results ignored and stored.
import { Redis } from 'ioredis'
import { ensurePython, startPrivateRedis } from '../scripts/services/index.mjs'
import { drain, readFlags, rounds, run, start, table } from './measure.mjs'

const flags = readFlags({ rounds: 3, scale: 1, only: '', stored: 'yes' })
const here = import.meta.dirname
const server = await startPrivateRedis({ args: ['--save', '', '--appendonly', 'no'] })
const redis = new Redis(server.url)
const python = await ensurePython()
const env = { BROKER_URL: server.url }

const node = (name) => (role, count, extra) => [
  process.execPath,
  [`${here}/systems/${name}.mjs`, role, String(count)],
  { ...env, ...extra },
]
const celery = (pool) => (role, count, extra) =>
  role === 'work'
    ? [
        python.path.replace(/python3?$/, 'celery'),
        [
          '-A',
          'celery_app',
          'worker',
          '-P',
          pool,
          '-c',
          '2',
          '-l',
          'ERROR',
          '--without-gossip',
          '--without-mingle',
          '--without-heartbeat',
        ],
        { ...env, ...extra, PYTHONPATH: `${here}/systems` },
      ]
    : [python.path, [`${here}/systems/celery_app.py`, role, String(count)], { ...env, ...extra }]

const kombuLeft = async () => (await redis.llen('celery')) + (await redis.hlen('unacked'))
const systems = {
  ours: { command: node('ours'), left: kombuLeft, share: 1 },
  'ours-processes': {
    command: (role, count, extra) =>
      node('ours')(role, count, { ...extra, POOL: 'processes', CONCURRENCY: '2' }),
    left: kombuLeft,
    share: 0.3,
    drainOnly: true,
  },
  bullmq: {
    command: node('bullmq'),
    left: async () =>
      (await redis.llen('bull:bench:wait')) + (await redis.llen('bull:bench:active')),
    share: 1,
  },
  'bee-queue': {
    command: node('bee-queue'),
    left: async () =>
      (await redis.llen('bq:bench:waiting')) + (await redis.llen('bq:bench:active')),
    share: 1,
  },
  ...('path' in python && python.path
    ? {
        'celery-prefork2': {
          command: celery('prefork'),
          left: kombuLeft,
          share: 0.05,
          waits: true,
        },
        'celery-solo': {
          command: celery('solo'),
          left: kombuLeft,
          share: 0.05,
          waits: true,
          drainOnly: true,
        },
      }
    : {}),
}
const wanted = flags.only === '' ? Object.keys(systems) : flags.only.split(',')
const names = (filter = () => true) =>
  wanted.filter((name) => name in systems && filter(systems[name]))
const of = (name, count) => Math.max(200, Math.round(count * systems[name].share * flags.scale))

async function enqueue(name, role, count) {
  await redis.flushall()
  return await run(...systems[name].command(role, of(name, count)))
}

async function drainOne(name, stores) {
  const { command, left } = systems[name]
  const count = of(name, 60_000)
  const extra = { STORES: stores ? '1' : '0' }
  await redis.flushall()
  await run(...command('fill', count - 1, extra))
  const total = await left()
  const worker = await start(...command('work', 0, extra))
  try {
    return await drain(left, total, worker.pid)
  } finally {
    worker.child.kill('SIGTERM')
    await worker.done
  }
}

try {
  console.log(`Redis ${server.version}, Node ${process.version}, ${flags.rounds} rounds`)
  const enqueuers = names(({ drainOnly }) => !drainOnly)
  table(
    'enqueue, one awaited after the other',
    await rounds(flags.rounds, enqueuers, (name) => enqueue(name, 'enqueue-await', 10_000)),
    'bullmq',
  )
  table(
    'enqueue, bulk',
    await rounds(flags.rounds, enqueuers, (name) => enqueue(name, 'enqueue-bulk', 60_000)),
    'bullmq',
  )
  table(
    'enqueue, many in one call',
    await rounds(flags.rounds, enqueuers, (name) =>
      enqueue(name, name.startsWith('ours') ? 'enqueue-many' : 'enqueue-bulk', 60_000),
    ),
    'bullmq',
  )
  table(
    'drain, results ignored',
    await rounds(flags.rounds, names(), (name) => drainOne(name, false)),
    'bullmq',
  )
  if (flags.stored === 'yes')
    table(
      'drain, results stored',
      await rounds(flags.rounds, names(), (name) => drainOne(name, true)),
      'bullmq',
    )
} finally {
  redis.disconnect()
  await server.dispose()
}
