// PostgreSQL for tests: a private server on its own port and data folder, for which a confirmed write is on
// disk. The system's server and its data are never touched.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { aptInstall } from './apt.mjs'
import { freePort } from './probe.mjs'
import { isAlive, run, which } from './process.mjs'
import { controlledServer } from './server.mjs'

const password = 'celeriac'

export const postgres = {
  name: 'postgres',
  variable: 'TEST_POSTGRES_URL',
  defaultUrl: `postgres://postgres:${password}@127.0.0.1:5432/celeriac`,
  composePort: 'CELERIAC_POSTGRES_PORT',
  urlFor: (port) => `postgres://postgres:${password}@127.0.0.1:${String(port)}/celeriac`,
  probe: probePostgres,
  startPrivate: startPrivatePostgres,
  attach: (record, options) =>
    likeAPowerCut(
      controlledServer(record, {
        ready: () => probePostgres(record.url),
        running: record,
        ...options,
      }),
    ),
}

/** Logs in and asks for the version; throws with a reason when it cannot. */
export async function probePostgres(url, { deadlineMs = 3000 } = {}) {
  // Not at the top: other services do without it.
  const { default: pg } = await import('pg')
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: deadlineMs,
    query_timeout: deadlineMs,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query('SHOW server_version')
    return { version: rows[0].server_version.split(' ')[0] }
  } finally {
    client.end().catch(() => {})
  }
}

/** The newest of Debian's versions, or what is on the PATH. */
function commands() {
  const base = '/usr/lib/postgresql'
  const versions = fs.existsSync(base) ? fs.readdirSync(base).toSorted((a, b) => b - a) : []
  const places = versions.map((version) => path.join(base, version, 'bin'))
  for (const folder of places) {
    const server = which(path.join(folder, 'postgres'))
    const initdb = which(path.join(folder, 'initdb'))
    if (server && initdb) return { server, initdb }
  }
  return { server: which('postgres'), initdb: which('initdb') }
}

async function binaries(log) {
  if (!commands().initdb) await aptInstall(['postgresql'], log)
  const found = commands()
  for (const [name, file] of Object.entries(found)) {
    if (!file) throw new Error(`PostgreSQL is installed without its command ${name}`)
  }
  return found
}

/** The server refuses to run as root: then it runs as the user of the package, or as nobody. */
async function account() {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const found = await run('id', ['-u', name])
    const group = await run('id', ['-g', name])
    if (found.ok && group.ok) return { uid: Number(found.output), gid: Number(group.output) }
  }
  throw new Error('there is no account that PostgreSQL could run as')
}

/**
 * Its folder. Not below the state folder, which no other account may enter. The id of this process is in
 * its name, so that what crashed test runs left can be told from what is in use.
 */
const prefix = 'celeriac-postgres-'

function dataDir() {
  return fs.mkdtempSync(path.join(os.tmpdir(), `${prefix}${String(process.pid)}-`))
}

/** Removes the folders of processes that are gone, but for the one that is recorded. */
export function sweepPostgres(kept) {
  for (const name of fs.readdirSync(os.tmpdir())) {
    const dir = path.join(os.tmpdir(), name)
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : NaN
    if (Number.isNaN(pid) || isAlive(pid) || dir === kept || isServed(dir)) continue
    const ours = fs.statSync(dir).uid === process.getuid?.() || process.getuid?.() === 0
    if (ours) fs.rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** The server of another checkout on this machine, which outlives the process that started it. */
function isServed(dir) {
  try {
    const text = fs.readFileSync(path.join(dir, 'data', 'postmaster.pid'), 'utf8')
    return isAlive(Number.parseInt(text, 10))
  } catch {
    return false
  }
}

/**
 * Starts a PostgreSQL of one's own, for tests that break it. It dies with this process unless `tied` is
 * false; call `dispose()` to remove its data as well. The database is `celeriac`, the user a superuser.
 */
export async function startPrivatePostgres({
  port,
  settings = {},
  tied = true,
  changed,
  log = () => {},
} = {}) {
  const found = await binaries(log)
  const who = await account()
  const ownPort = port ?? (await freePort())
  const dir = dataDir()
  if (who) fs.chownSync(dir, who.uid, who.gid)
  const data = path.join(dir, 'data')
  const env = { LC_ALL: 'C.UTF-8', TZ: 'UTC' }
  const secret = path.join(dir, 'password')
  fs.writeFileSync(secret, password + '\n', { mode: 0o600 })
  if (who) fs.chownSync(secret, who.uid, who.gid)
  const words = ['-D', data, '-U', 'postgres', '-E', 'UTF8', '--auth=scram-sha-256', '--no-sync']
  const made = await run(found.initdb, [...words, `--pwfile=${secret}`], {
    env,
    cwd: dir,
    deadlineMs: 60_000,
    ...who,
  })
  fs.rmSync(secret)
  if (!made.ok) throw new Error(made.reason)
  const all = {
    port: String(ownPort),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    // What was confirmed survives a kill; fsync itself protects against the loss of power only.
    synchronous_commit: 'on',
    fsync: 'on',
    shared_buffers: '64MB',
    max_connections: '200',
    log_min_messages: 'fatal',
    ...settings,
  }
  const recipe = {
    name: 'postgres',
    url: postgres.urlFor(ownPort),
    port: ownPort,
    dir,
    logFile: path.join(dir, 'postgres.log'),
    command: found.server,
    args: [
      '-D',
      data,
      ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    env,
    cwd: dir,
    // Smart shutdown (SIGTERM) would wait for the clients to go.
    stopSignal: 'SIGINT',
    startMs: 30_000,
    stopMs: 15_000,
    ...who,
  }
  const ready = () => makeDatabase(ownPort)
  const server = likeAPowerCut(controlledServer(recipe, { ready, tied, changed }))
  await server.start()
  return server
}

async function makeDatabase(port) {
  const url = postgres.urlFor(port)
  try {
    return await probePostgres(url)
  } catch (error) {
    if (error.code !== '3D000') throw error
  }
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url.replace(/celeriac$/, 'postgres') })
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query('CREATE DATABASE celeriac')
  } finally {
    await client.end()
  }
  return await probePostgres(url)
}

/**
 * What happens to the first process happens to all: they would answer on while it is frozen, and outlive it
 * for a moment, in which no new server starts beside them.
 */
function likeAPowerCut(server) {
  const { kill9, dispose, pause, resume } = server
  server.pause = () => {
    pause()
    for (const pid of childrenOf(server.pid)) process.kill(pid, 'SIGSTOP')
  }
  server.resume = () => {
    for (const pid of childrenOf(server.pid)) process.kill(pid, 'SIGCONT')
    resume()
  }
  server.kill9 = async () => {
    const rest = childrenOf(server.pid)
    await kill9()
    for (const pid of rest) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    // It refuses to start while any of them is there, or its file names a process that is.
    for (let i = 0; i < 100 && rest.some(isAlive); i++) await sleep(50)
    fs.rmSync(path.join(server.record().dir, 'data', 'postmaster.pid'), { force: true })
  }
  server.dispose = async () => {
    if (server.pid !== undefined && isAlive(server.pid)) await server.kill9()
    await dispose()
  }
  return server
}

function childrenOf(pid) {
  if (pid === undefined || !fs.existsSync('/proc')) return []
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => parentOf(candidate) === pid)
}

function parentOf(pid) {
  try {
    const text = fs.readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}
