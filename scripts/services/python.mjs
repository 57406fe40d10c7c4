// The Python peer of the interoperability tests: an interpreter that can import celery and redis, from a
// virtual environment of our own or, failing that, from the system's packages.
import fs from 'node:fs'
import path from 'node:path'
import { aptInstall } from './apt.mjs'
import { run, which } from './process.mjs'
import { stateDir, withLock } from './state.mjs'

const requirements = [
  'celery==5.6.2',
  'kombu==5.6.2',
  'redis<6.5',
  'pymongo>=4.10,<5',
  'python-memcached==1.62',
  // Results in databases.
  'sqlalchemy>=2,<2.2',
  'psycopg2-binary>=2.9,<3',
  'pymysql>=1.1,<2',
  // Signed messages.
  'cryptography>=44,<47',
  // Kombu's codecs.
  'pyyaml',
  'msgpack',
  'brotli',
  'zstandard',
]
const probeScript = [
  'import json, platform, celery, kombu, redis, pymongo, yaml, msgpack, brotli, zstandard',
  'import memcache, sqlalchemy, psycopg2, pymysql, cryptography',
  'print(json.dumps({"python": platform.python_version(), "celery": celery.__version__,',
  '  "kombu": kombu.__version__, "redis": redis.__version__}))',
].join('\n')

/** Versions of the interpreter and its packages; throws with a reason when something is missing. */
export async function probePython(executable) {
  const done = await run(executable, ['-c', probeScript], { deadlineMs: 30_000 })
  if (!done.ok) throw new Error(done.reason)
  return JSON.parse(done.output.trim().split('\n').at(-1))
}

/** Finds or installs the Python peer: `{ name, path, version, versions, how }` or `{ name, missing }`. */
export async function ensurePython({ install = true, log = () => {} } = {}) {
  const given = process.env.TEST_PYTHON
  if (given) {
    const found = await attempt(given, 'TEST_PYTHON')
    return found.path
      ? found
      : { name: 'python', missing: `TEST_PYTHON=${given}: ${found.missing}` }
  }
  const own = venvPython()
  if (fs.existsSync(own)) {
    const found = await attempt(own, 'own virtual environment')
    if (found.path) return found
  }
  if (!install)
    return { name: 'python', missing: 'not installed; run `npm run services up python`' }
  return await withLock('python', async () => {
    // Another process may have installed it while this one waited for the lock.
    const ready = await attempt(own, 'own virtual environment')
    if (ready.path) return ready
    const reasons = []
    for (const way of [installWithPip, installWithApt]) {
      try {
        return await way(log)
      } catch (error) {
        reasons.push(error.message)
      }
    }
    return { name: 'python', missing: reasons.join('; ') }
  })
}

function venvPython() {
  return path.join(stateDir(), 'python', 'bin', 'python')
}

async function attempt(executable, how) {
  try {
    const versions = await probePython(executable)
    const version = `celery ${versions.celery}, Python ${versions.python}`
    return { name: 'python', path: executable, version, versions, how, startedByUs: false }
  } catch (error) {
    return { name: 'python', missing: error.message }
  }
}

async function installWithPip(log) {
  const dir = path.join(stateDir(), 'python')
  // One that lacks a package may be in use: it is completed, not made anew.
  const isThere = (await run(venvPython(), ['-c', 'import celery, pip'], { deadlineMs: 30_000 })).ok
  if (!isThere) {
    fs.rmSync(dir, { recursive: true, force: true })
    await createVenv(dir, log)
  }
  log(`installing ${requirements.join(', ')} with pip`)
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input']
  const words = ['-m', 'pip', 'install', ...quiet, ...requirements]
  const done = await run(venvPython(), words, { deadlineMs: 300_000 })
  if (!done.ok) throw new Error(`pip: ${done.reason}`)
  const found = await attempt(venvPython(), 'own virtual environment')
  if (!found.path) throw new Error(found.missing)
  return found
}

async function createVenv(dir, log) {
  const reasons = []
  for (let round = 0; round < 2; round++) {
    for (const name of ['python3', '/usr/bin/python3']) {
      const python = which(name)
      if (!python) continue
      const done = await run(python, ['-m', 'venv', dir], { deadlineMs: 60_000 })
      if (done.ok) return
      reasons.push(done.reason)
      fs.rmSync(dir, { recursive: true, force: true })
    }
    // Debian keeps venv in a package of its own.
    if (round === 0) {
      try {
        await aptInstall(['python3', 'python3-venv'], log)
      } catch (error) {
        reasons.push(error.message)
        break
      }
    }
  }
  throw new Error(`no virtual environment: ${reasons.join('; ')}`)
}

async function installWithApt(log) {
  let found = await attempt('/usr/bin/python3', 'packages of the system')
  if (!found.path) {
    const codecs = ['python3-yaml', 'python3-msgpack', 'python3-brotli', 'python3-zstandard']
    const databases = ['python3-sqlalchemy', 'python3-psycopg2', 'python3-pymysql']
    const clients = ['python3-redis', 'python3-pymongo', 'python3-cryptography', ...databases]
    await aptInstall(['celery', ...clients, ...codecs], log)
    found = await attempt('/usr/bin/python3', 'packages of the system')
  }
  if (!found.path) throw new Error(found.missing)
  return found
}
