// Memcached for tests: a private server on its own port. It keeps nothing over a restart, as everywhere.
import fs from 'node:fs'
import path from 'node:path'
import { aptInstall } from './apt.mjs'
import { connect, freePort, reader } from './probe.mjs'
import { which } from './process.mjs'
import { controlledServer } from './server.mjs'
import { throwAwayDir } from './throw-away.mjs'

export const memcached = {
  name: 'memcached',
  variable: 'TEST_MEMCACHED_URL',
  defaultUrl: 'memcached://127.0.0.1:11211',
  composePort: 'CELERIAC_MEMCACHED_PORT',
  urlFor: (port) => `memcached://127.0.0.1:${String(port)}`,
  probe: probeMemcached,
  startPrivate: startPrivateMemcached,
  attach: (record, options) =>
    controlledServer(record, {
      ready: () => probeMemcached(record.url),
      running: record,
      ...options,
    }),
}

/** Asks a server for its version; throws with a reason when it cannot. */
export async function probeMemcached(url, { deadlineMs = 3000 } = {}) {
  const socket = await connect(url, { memcached: 11_211 }, deadlineMs)
  try {
    socket.write('version\r\n')
    const line = await reader(socket, deadlineMs).until('\r\n')
    if (!line.startsWith('VERSION ')) throw new Error(`no Memcached: it answers ${line}`)
    return { version: line.slice('VERSION '.length) }
  } finally {
    socket.destroy()
  }
}

async function binary(log) {
  if (!which('memcached')) await aptInstall(['memcached'], log)
  const found = which('memcached')
  if (!found) throw new Error('memcached is not there after its installation')
  return found
}

/** Starts a server of one's own, for tests that break it. It dies with this process unless `tied` is false. */
export async function startPrivateMemcached({
  port,
  dir = throwAwayDir('memcached'),
  tied = true,
  changed,
  log = () => {},
} = {}) {
  const command = await binary(log)
  const ownPort = port ?? (await freePort())
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  const args = ['-l', '127.0.0.1', '-p', String(ownPort), '-U', '0', '-m', '64']
  const recipe = {
    name: 'memcached',
    url: memcached.urlFor(ownPort),
    port: ownPort,
    dir,
    logFile: path.join(dir, 'memcached.log'),
    command,
    // It asks the superuser for whom it is to become.
    args: process.getuid?.() === 0 ? [...args, '-u', 'root'] : args,
    env: {},
    cwd: dir,
    startMs: 10_000,
    stopMs: 5000,
  }
  const ready = () => probeMemcached(recipe.url, { deadlineMs: 2000 })
  const server = controlledServer(recipe, { ready, tied, changed })
  await server.start()
  return server
}
