// The messaging layer against the raw driver of each broker moving the same bytes in the same run: confirmed
// publishes, `sendMany`, and consuming with an acknowledgement for each message.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  startPrivateMongo,
  startPrivatePostgres,
  startPrivateRabbit,
  startPrivateRedis,
} from '../scripts/services/index.mjs'
import { readFlags, rounds, run, table } from './measure.mjs'

const flags = readFlags({
  rounds: 5,
  scale: 1,
  only: 'redis,amqp,sqlite,postgres,mongodb,filesystem',
})
const here = import.meta.dirname

const folder = (url) => {
  const path = mkdtempSync(join(tmpdir(), 'celeriac-bench-'))
  return {
    url: url(path),
    version: process.platform,
    dispose: async () => rmSync(path, { recursive: true, force: true }),
  }
}

const brokers = {
  redis: {
    title: 'Redis',
    raw: 'ioredis',
    count: 100_000,
    start: () => startPrivateRedis({ args: ['--save', '', '--appendonly', 'no'] }),
  },
  amqp: { title: 'RabbitMQ', raw: 'amqplib', count: 30_000, start: () => startPrivateRabbit({}) },
  sqlite: {
    title: 'SQLite',
    raw: 'sqlite',
    count: 50_000,
    start: () => folder((path) => `sqlite://${path}/broker.db`),
  },
  postgres: {
    title: 'PostgreSQL',
    raw: 'pg',
    count: 30_000,
    start: () => startPrivatePostgres({}),
  },
  mongodb: { title: 'MongoDB', raw: 'mongodb', count: 2000, start: () => startPrivateMongo({}) },
  filesystem: {
    title: 'Folders',
    raw: 'folders',
    count: 3000,
    start: () => folder((path) => `filesystem://${path}/broker`),
  },
}

for (const name of flags.only.split(',')) {
  const { title, raw, count, start } = brokers[name]
  const server = await start()
  try {
    console.log(`\n${title} ${server.version}, Node ${process.version}`)
    const systems = { ours: `${here}/systems/messaging.mjs`, [raw]: `${here}/floors/${raw}.mjs` }
    for (const role of ['publish', 'send-many', 'consume']) {
      const results = await rounds(flags.rounds, Object.keys(systems), (system) =>
        run(process.execPath, [systems[system], role, String(Math.round(count * flags.scale))], {
          BROKER_URL: server.url,
        }),
      )
      table(`${title}: ${role}`, results, raw)
    }
  } finally {
    await server.dispose()
  }
}
