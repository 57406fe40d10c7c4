// The front door of the test services: find or start servers and Python, stop what we started, and start
// throw-away servers for tests that break them.
import fs from 'node:fs'
import path from 'node:path'
import { composeDown, composeRuns, composeUp, dockerProblem } from './docker.mjs'
import { mariadb } from './mariadb.mjs'
import { memcached } from './memcached.mjs'
import { mongodb } from './mongodb.mjs'
import { postgres, sweepPostgres } from './postgres.mjs'
import { freePort, masked } from './probe.mjs'
import { isSame } from './process.mjs'
import { ensurePython } from './python.mjs'
import { rabbitmq } from './rabbitmq.mjs'
import { redis } from './redis.mjs'
import { checkoutId, readRecord, removeRecord, saveRecord, stateDir, withLock } from './state.mjs'
import { sweepThrowAways } from './throw-away.mjs'

export { ensurePython, probePython } from './python.mjs'
export { probeMysql, startPrivateMariadb } from './mariadb.mjs'
export { probeMemcached, startPrivateMemcached } from './memcached.mjs'
export { probeMongo } from './mongodb-probe.mjs'
export { startPrivateMongo } from './mongodb.mjs'
export { probePostgres, startPrivatePostgres } from './postgres.mjs'
export { startPrivateRabbit } from './rabbitmq.mjs'
export { startPrivateRedis, startPrivateSentinel } from './redis.mjs'
export { probeAmqp, probeRedis, freePort, masked } from './probe.mjs'
export { readRecord, stateDir } from './state.mjs'

const kinds = { redis, rabbitmq, postgres, mariadb, mongodb, memcached }

/** The names that `services.mjs` understands, in the order in which they are started. */
export const serviceNames = [
  'redis',
  'rabbitmq',
  'postgres',
  'mariadb',
  'mongodb',
  'memcached',
  'python',
]

/** Environment variables through which tests learn about a service. */
export const variables = {
  redis: 'TEST_REDIS_URL',
  rabbitmq: 'TEST_AMQP_URL',
  postgres: 'TEST_POSTGRES_URL',
  mariadb: 'TEST_MYSQL_URL',
  memcached: 'TEST_MEMCACHED_URL',
  mongodb: 'TEST_MONGODB_URL',
  python: 'TEST_PYTHON',
}

/** See `ensure`. */
export const ensureRedis = (options) => ensure('redis', options)

/** See `ensure`. */
export const ensureRabbit = (options) => ensure('rabbitmq', options)

/** See `ensure`. */
export const ensureMongo = (options) => ensure('mongodb', options)

/**
 * A service for tests: `{ name, url, version, how, startedByUs, fresh, pid }` or `{ name, missing }`, never
 * an exception. `fresh` says that this very call started it. `privateOnly` skips servers and containers that
 * others may share.
 */
export async function ensure(name, { privateOnly = isPrivateOnly(), log = () => {} } = {}) {
  if (name === 'python') return await ensurePython({ log })
  const kind = kindOf(name)
  const existing = await find(name, { privateOnly })
  if (!existing.missing || process.env[kind.variable]) return existing
  try {
    return await withLock(name, async () => {
      const meanwhile = await find(name, { privateOnly })
      return meanwhile.missing ? await start(kind, { privateOnly, log }) : meanwhile
    })
  } catch (error) {
    return { name, missing: error.message }
  }
}

/** Like `ensure`, but starts and installs nothing. */
export async function find(name, { privateOnly = isPrivateOnly() } = {}) {
  if (name === 'python') return await ensurePython({ install: false })
  const kind = kindOf(name)
  const given = process.env[kind.variable]
  if (given) return await findGiven(kind, given)
  const record = readRecord(name)
  if (record) {
    const found = await answer(
      kind,
      record.url,
      record.docker ? 'docker compose' : 'private server',
    )
    if (!found.missing) return { ...found, startedByUs: true, pid: record.pid }
  }
  if (!privateOnly) {
    const found = await answer(kind, kind.defaultUrl, 'already listening')
    if (!found.missing) return found
  }
  return { name, missing: `no server found; run \`npm run services up ${name}\`` }
}

/** Stops a service that we started; others are left alone. Says what it did. */
export async function stop(name) {
  if (name === 'python') return 'nothing to stop'
  const kind = kindOf(name)
  return await withLock(name, async () => {
    const record = readRecord(name)
    if (!record) return 'not started by us'
    if (record.docker) await composeDown(record.project)
    else await kind.attach(record, {}).dispose()
    removeRecord(name)
    return `stopped ${masked(record.url)}`
  })
}

/** Removes what crashed test runs left behind. */
export function sweep() {
  sweepThrowAways()
  sweepPostgres(readRecord('postgres')?.dir)
}

/**
 * The handle of a shared server that we started, or undefined: a server that somebody else started must
 * never be broken by a test.
 */
export function control(name) {
  const record = readRecord(name)
  if (!record || record.docker || !isSame(record.main)) return undefined
  return kindOf(name).attach(record, { changed: saveRecord })
}

async function start(kind, { privateOnly, log }) {
  await clearOld(kind)
  const reasons = []
  if (!privateOnly) {
    try {
      return await startInDocker(kind, log)
    } catch (error) {
      reasons.push(error.message)
    }
  }
  try {
    return await startPrivately(kind, log)
  } catch (error) {
    reasons.push(error.message)
  }
  throw new Error(`no ${kind.name}: ${reasons.join('; ')}`)
}

/** A record whose server no longer answers: ends what is left of it before a new one starts. */
async function clearOld(kind) {
  const record = readRecord(kind.name)
  if (!record) return
  if (!record.docker) await kind.attach(record, {}).dispose()
  else if (await composeRuns(record.project)) await composeDown(record.project)
  removeRecord(kind.name)
}

async function startInDocker(kind, log) {
  const problem = await dockerProblem()
  if (problem) throw new Error(problem)
  const port = await freePort()
  const project = `celeriac-${checkoutId}-${kind.name}`
  log(`starting ${kind.name} with docker compose`)
  await composeUp(project, kind.name, kind.composePort, port)
  const url = kind.urlFor(port)
  saveRecord({ name: kind.name, url, docker: true, project, startedByUs: true })
  const found = await answer(kind, url, 'docker compose')
  if (found.missing) {
    await composeDown(project)
    removeRecord(kind.name)
    throw new Error(found.missing)
  }
  return { ...found, startedByUs: true, fresh: true }
}

async function startPrivately(kind, log) {
  const dir = path.join(stateDir(), kind.name)
  fs.rmSync(dir, { recursive: true, force: true })
  log(`starting a private ${kind.name}`)
  const server = await kind.startPrivate({ dir, tied: false, changed: saveRecord, log })
  const { url, version, pid } = server
  const how = 'private server'
  return { name: kind.name, url, version, pid, how, startedByUs: true, fresh: true }
}

async function findGiven(kind, url) {
  const found = await answer(kind, url, kind.variable)
  if (found.missing)
    return { ...found, missing: `${kind.variable}=${masked(url)}: ${found.missing}` }
  const record = readRecord(kind.name)
  const ours = record?.url === url
  return { ...found, startedByUs: ours, ...(ours && { pid: record.pid }) }
}

async function answer(kind, url, how) {
  try {
    const { version } = await kind.probe(url)
    return { name: kind.name, url, version, how, startedByUs: false }
  } catch (error) {
    return { name: kind.name, missing: error.message }
  }
}

function kindOf(name) {
  if (!Object.hasOwn(kinds, name)) {
    throw new Error(`unknown service ${name}: expected one of ${serviceNames.join(', ')}`)
  }
  return kinds[name]
}

function isPrivateOnly() {
  return process.env.CELERIAC_SERVICES === 'private'
}
