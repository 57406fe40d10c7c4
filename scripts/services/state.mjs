// Where the test services keep their data, and the record of what we started. The record outlives the
// process that wrote it, so that a later `down` stops exactly those servers and nothing else.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { isAlive, sleep } from './process.mjs'

/** The root folder of the repository. */
export const rootDir = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')

/** Tells this checkout from others of the same user. */
export const checkoutId = createHash('sha256').update(rootDir).digest('hex').slice(0, 8)

/**
 * The private folder of this checkout's services. It lies outside `node_modules`, because `npm ci` would
 * remove the record of servers that are still running. `CELERIAC_SERVICES_DIR` moves it.
 */
export function stateDir() {
  const uid = os.userInfo().uid
  const dir =
    process.env.CELERIAC_SERVICES_DIR ??
    path.join(os.tmpdir(), `celeriac-services-${String(uid)}-${checkoutId}`)
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  const owner = fs.statSync(dir).uid
  if (uid >= 0 && owner !== uid) {
    throw new Error(`the state folder ${dir} belongs to another user (uid ${String(owner)})`)
  }
  return dir
}

/** One record per service, so that two services can start at once without overwriting each other. */
function recordFile(name) {
  return path.join(stateDir(), `${name}.json`)
}

/** What is recorded about the service of that name, its server dead or alive; or undefined. */
export function readRecord(name) {
  try {
    return JSON.parse(fs.readFileSync(recordFile(name), 'utf8'))
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Writes through a temporary file, so that a reader never meets half a record. */
export function saveRecord(record) {
  const file = recordFile(record.name)
  const temporary = `${file}.${String(process.pid)}`
  fs.writeFileSync(temporary, JSON.stringify(record, null, 2) + '\n', { mode: 0o600 })
  fs.renameSync(temporary, file)
}

export function removeRecord(name) {
  fs.rmSync(recordFile(name), { force: true })
}

/** Runs `act` while nobody else does the same thing with the services of this checkout. */
export async function withLock(what, act, { deadlineMs = 900_000 } = {}) {
  const file = path.join(stateDir(), `${what}.lock`)
  const until = Date.now() + deadlineMs
  for (;;) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      const holder = Number(readIfThere(file))
      // An empty file is a holder between creating and writing; only a dead holder is removed.
      if (holder > 0 && !isAlive(holder)) fs.rmSync(file, { force: true })
      else if (Date.now() > until) throw new Error(`process ${String(holder)} holds ${file}`)
      else await sleep(100)
    }
  }
  try {
    return await act()
  } finally {
    fs.rmSync(file, { force: true })
  }
}

function readIfThere(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
