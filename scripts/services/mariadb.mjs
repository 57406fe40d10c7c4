// MariaDB for tests: a private server on its own port and data folder, for which a confirmed write is on
// disk. The system's server and its data are never touched.
import fs from 'node:fs'
import path from 'node:path'
import { aptInstall } from './apt.mjs'
import { freePort } from './probe.mjs'
import { run, which } from './process.mjs'
import { controlledServer } from './server.mjs'
import { throwAwayDir } from './throw-away.mjs'

const password = 'celeriac'

export const mariadb = {
  name: 'mariadb',
  variable: 'TEST_MYSQL_URL',
  defaultUrl: `mysql://root:${password}@127.0.0.1:3306/celeriac`,
  composePort: 'CELERIAC_MYSQL_PORT',
  urlFor: (port) => `mysql://root:${password}@127.0.0.1:${String(port)}/celeriac`,
  probe: probeMysql,
  startPrivate: startPrivateMariadb,
  attach: (record, options) =>
    controlledServer(record, { ready: () => probeMysql(record.url), running: record, ...options }),
}

/** Logs in and asks for the version; throws with a reason when it cannot. */
export async function probeMysql(url, { deadlineMs = 3000 } = {}) {
  // Not at the top: other services do without it.
  const { createConnection } = await import('mysql2')
  const connection = createConnection({ uri: url, connectTimeout: deadlineMs })
  return await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('no answer in time')), deadlineMs)
    connection.on('error', reject)
    connection.query('SELECT version() AS version', (error, rows) => {
      clearTimeout(late)
      if (error) reject(error)
      else resolve({ version: rows[0].version.replace(/-MariaDB.*$/, ' (MariaDB)') })
    })
  }).finally(() => connection.destroy())
}

const server = () => which('mariadbd', '/usr/sbin/mariadbd', '/usr/libexec/mariadbd')
const installer = () => which('mariadb-install-db', '/usr/bin/mariadb-install-db')

async function binaries(log) {
  if (!server() || !installer()) await aptInstall(['mariadb-server'], log)
  const found = { server: server(), installer: installer() }
  for (const [name, file] of Object.entries(found)) {
    if (!file) throw new Error(`MariaDB is installed without its ${name}`)
  }
  return found
}

/** Run at each start: whoever has the password of the tests may do everything, and nobody else. */
const setup = [
  'CREATE DATABASE IF NOT EXISTS celeriac CHARACTER SET utf8mb4;',
  ...['localhost', '127.0.0.1'].flatMap((host) => [
    `CREATE USER IF NOT EXISTS root@'${host}';`,
    `ALTER USER root@'${host}' IDENTIFIED BY '${password}';`,
    `GRANT ALL ON *.* TO root@'${host}' WITH GRANT OPTION;`,
  ]),
].join('\n')

/**
 * Starts a MariaDB of one's own, for tests that break it. It dies with this process unless `tied` is false;
 * call `dispose()` to remove its data as well. The database is `celeriac`, the user may do everything.
 */
export async function startPrivateMariadb({
  port,
  dir = throwAwayDir('mariadb'),
  settings = {},
  tied = true,
  changed,
  log = () => {},
} = {}) {
  const found = await binaries(log)
  const ownPort = port ?? (await freePort())
  const data = path.join(dir, 'data')
  fs.mkdirSync(data, { recursive: true, mode: 0o700 })
  // It refuses to run as root unless it is told to.
  const user = process.getuid?.() === 0 ? ['--user=root'] : []
  const words = ['--no-defaults', `--datadir=${data}`, ...user, '--skip-test-db']
  const made = await run(
    found.installer,
    [...words, '--auth-root-authentication-method=normal', '--skip-name-resolve'],
    { cwd: dir, deadlineMs: 120_000 },
  )
  if (!made.ok) throw new Error(made.reason)
  const init = path.join(dir, 'setup.sql')
  fs.writeFileSync(init, `${setup}\n`, { mode: 0o600 })
  const all = {
    datadir: data,
    port: String(ownPort),
    'bind-address': '127.0.0.1',
    // Below the data folder; a longer path than a socket may have would be refused.
    socket: 'mariadb.sock',
    'pid-file': path.join(dir, 'mariadb.pid'),
    'init-file': init,
    'innodb-buffer-pool-size': '64M',
    'innodb-flush-log-at-trx-commit': '1',
    'character-set-server': 'utf8mb4',
    ...settings,
  }
  const recipe = {
    name: 'mariadb',
    url: mariadb.urlFor(ownPort),
    port: ownPort,
    dir,
    logFile: path.join(dir, 'mariadb.log'),
    command: found.server,
    args: [
      '--no-defaults',
      ...Object.entries(all).map(([name, value]) => `--${name}=${value}`),
      ...user,
    ],
    env: { TZ: 'UTC' },
    cwd: dir,
    startMs: 60_000,
    stopMs: 20_000,
  }
  const ready = () => probeMysql(recipe.url, { deadlineMs: 2000 })
  const controlled = controlledServer(recipe, { ready, tied, changed })
  await controlled.start()
  return controlled
}
