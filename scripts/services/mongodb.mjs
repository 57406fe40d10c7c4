// MongoDB for tests: where no server and no container can be had, FerretDB (a server that speaks the same
// protocol and keeps its data in SQLite files), built once with the Go toolchain of this machine.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { probeMongo } from './mongodb-probe.mjs'
import { freePort } from './probe.mjs'
import { run, which } from './process.mjs'
import { controlledServer } from './server.mjs'
import { rootDir, stateDir, withLock } from './state.mjs'
import { throwAwayDir } from './throw-away.mjs'

/** Longest a build may take: the first one on a machine fetches all modules and compiles them. */
const buildMs = 900_000
const sources = path.join(rootDir, 'scripts', 'services', 'ferretdb')

export const mongodb = {
  name: 'mongodb',
  variable: 'TEST_MONGODB_URL',
  defaultUrl: 'mongodb://127.0.0.1:27017',
  composePort: 'CELERIAC_MONGO_PORT',
  urlFor: (port) => `mongodb://127.0.0.1:${String(port)}`,
  probe: probeMongo,
  startPrivate: startPrivateMongo,
  attach: (record, options) =>
    controlledServer(record, { ready: () => probeMongo(record.url), running: record, ...options }),
}

/** The path of the server; builds it when this checkout has not done so yet. */
async function binary(log) {
  const parts = ['go.mod', 'go.sum', 'main.go'].map((name) =>
    fs.readFileSync(path.join(sources, name)),
  )
  const id = createHash('sha256').update(Buffer.concat(parts)).digest('hex').slice(0, 12)
  const file = path.join(stateDir(), 'tools', `ferretdb-${id}`)
  if (fs.existsSync(file)) return file
  return await withLock('ferretdb', () => (fs.existsSync(file) ? file : build(file, log)))
}

async function build(file, log) {
  const go = which('go', '/usr/local/go/bin/go')
  if (!go)
    throw new Error(
      'there is no mongod, and building FerretDB needs Go (https://go.dev/doc/install)',
    )
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  const begin = Date.now()
  const seconds = () => String(Math.round((Date.now() - begin) / 1000))
  log('building FerretDB, which takes about a minute the first time')
  const progress = setInterval(() => {
    log(`still building FerretDB (${seconds()} s)`)
  }, 15_000)
  const env = { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local', GOWORK: 'off' }
  const temporary = `${file}.${String(process.pid)}`
  try {
    const words = ['build', '-trimpath', '-tags', 'ferretdb_no_postgresql', '-o', temporary, '.']
    const done = await run(go, words, { deadlineMs: buildMs, cwd: sources, env })
    if (!done.ok) throw new Error(`FerretDB could not be built: ${done.reason}`)
    fs.renameSync(temporary, file)
    log(`built FerretDB in ${seconds()} s`)
    return file
  } finally {
    clearInterval(progress)
    fs.rmSync(temporary, { force: true })
  }
}

/**
 * Starts a server of one's own, for tests that break it. It dies with this process unless `tied` is false;
 * call `dispose()` to remove its data as well.
 */
export async function startPrivateMongo({
  port,
  dir = throwAwayDir('mongodb'),
  tied = true,
  changed,
  log = () => {},
} = {}) {
  const command = await binary(log)
  const ownPort = port ?? (await freePort())
  const data = path.join(dir, 'data')
  fs.mkdirSync(data, { recursive: true, mode: 0o700 })
  const recipe = {
    name: 'mongodb',
    url: mongodb.urlFor(ownPort),
    port: ownPort,
    dir,
    logFile: path.join(dir, 'ferretdb.log'),
    command,
    args: ['-port', String(ownPort), '-data', data],
    env: {},
    cwd: dir,
    startMs: 20_000,
    stopMs: 10_000,
  }
  const ready = () => probeMongo(recipe.url, { deadlineMs: 2000 })
  const server = controlledServer(recipe, { ready, tied, changed })
  await server.start()
  return server
}
