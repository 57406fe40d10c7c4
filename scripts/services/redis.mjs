// Redis for tests: a private server on its own port and data folder. Every confirmed write is on disk before
// the reply, so that killing it loses nothing that was confirmed.
import fs from 'node:fs'
import path from 'node:path'
import { aptInstall } from './apt.mjs'
import { which } from './process.mjs'
import { freePort, probeRedis } from './probe.mjs'
import { controlledServer } from './server.mjs'
import { throwAwayDir } from './throw-away.mjs'

export const redis = {
  name: 'redis',
  variable: 'TEST_REDIS_URL',
  defaultUrl: 'redis://127.0.0.1:6379',
  composePort: 'CELERIAC_REDIS_PORT',
  urlFor: (port) => `redis://127.0.0.1:${String(port)}`,
  probe: probeRedis,
  startPrivate: startPrivateRedis,
  attach: (record, options) =>
    controlledServer(record, { ready: () => probeRedis(record.url), running: record, ...options }),
}

/** The path of redis-server; installs it when it is missing and that is possible. */
async function binary(log) {
  if (!which('redis-server')) await aptInstall(['redis-server'], log)
  const found = which('redis-server')
  if (!found) throw new Error('redis-server is not there after its installation')
  return found
}

/**
 * Starts a Redis of one's own, for tests that break it. It dies with this process unless `tied` is false;
 * call `dispose()` to remove its data as well.
 */
export async function startPrivateRedis({
  port,
  dir = throwAwayDir('redis'),
  args = [],
  tied = true,
  changed,
  log = () => {},
} = {}) {
  const command = await binary(log)
  const ownPort = port ?? (await freePort())
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  const settings = {
    port: String(ownPort),
    bind: '127.0.0.1',
    dir,
    daemonize: 'no',
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    databases: '64',
  }
  const recipe = {
    name: 'redis',
    url: redis.urlFor(ownPort),
    port: ownPort,
    dir,
    logFile: path.join(dir, 'redis.log'),
    command,
    args: [...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]), ...args],
    env: {},
    cwd: dir,
    startMs: 20_000,
    stopMs: 10_000,
  }
  const ready = () => probeRedis(recipe.url, { deadlineMs: 2000 })
  const server = controlledServer(recipe, { ready, tied, changed })
  await server.start()
  return server
}

/**
 * Starts a sentinel that watches one master; as `startPrivateRedis` otherwise. `downMs`: how long a master
 * says nothing before it counts as down.
 */
export async function startPrivateSentinel({
  masterName,
  masterPort,
  quorum = 1,
  downMs = 1000,
  dir = throwAwayDir('sentinel'),
  log = () => {},
}) {
  const command = await binary(log)
  const port = await freePort()
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  // A sentinel writes what it learns into its own configuration.
  const file = path.join(dir, 'sentinel.conf')
  const lines = [
    `port ${String(port)}`,
    'bind 127.0.0.1',
    `dir ${dir}`,
    `sentinel monitor ${masterName} 127.0.0.1 ${String(masterPort)} ${String(quorum)}`,
    `sentinel down-after-milliseconds ${masterName} ${String(downMs)}`,
    `sentinel failover-timeout ${masterName} 5000`,
  ]
  fs.writeFileSync(file, `${lines.join('\n')}\n`)
  const recipe = {
    name: 'sentinel',
    url: redis.urlFor(port),
    port,
    dir,
    logFile: path.join(dir, 'sentinel.log'),
    command,
    args: [file, '--sentinel'],
    env: {},
    cwd: dir,
    startMs: 20_000,
    stopMs: 5000,
  }
  const ready = () => probeRedis(recipe.url, { deadlineMs: 2000 })
  const server = controlledServer(recipe, { ready, tied: true })
  await server.start()
  return server
}
