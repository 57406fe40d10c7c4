// The messaging layer against the raw drivers moving the same bytes: confirmed publish, consume and
// acknowledge, on Redis (claim and acknowledgement by script, in batches) and on RabbitMQ.
import { startPrivateRabbit, startPrivateRedis } from '../scripts/services/index.mjs'
import { readFlags, rounds, run, table } from './measure.mjs'

const flags = readFlags({ rounds: 5, scale: 1, only: 'redis,amqp' })
const here = import.meta.dirname
const wanted = flags.only.split(',')

async function compare(name, url, raw, count) {
  const systems = { ours: `${here}/systems/messaging.mjs`, ...raw }
  const scaled = Math.round(count * flags.scale)
  for (const role of ['publish', 'consume']) {
    const results = await rounds(flags.rounds, Object.keys(systems), (system) =>
      run(process.execPath, [systems[system], role, String(scaled)], { BROKER_URL: url }),
    )
    table(`${name}: ${role}`, results, Object.keys(raw)[0])
  }
}

if (wanted.includes('redis')) {
  const redis = await startPrivateRedis({ args: ['--save', '', '--appendonly', 'no'] })
  try {
    console.log(`Redis ${redis.version}, Node ${process.version}`)
    await compare('Redis', redis.url, { 'raw-ioredis': `${here}/floors/ioredis.mjs` }, 100_000)
  } finally {
    await redis.dispose()
  }
}
if (wanted.includes('amqp')) {
  const rabbit = await startPrivateRabbit({})
  try {
    console.log(`\nRabbitMQ ${rabbit.version}, Node ${process.version}`)
    await compare('RabbitMQ', rabbit.url, { 'raw-amqplib': `${here}/floors/amqplib.mjs` }, 30_000)
  } finally {
    await rabbit.dispose()
  }
}
