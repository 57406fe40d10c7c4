// Data folders of throw-away servers. They lie below the state folder; `services.mjs down` removes what a
// crashed test run left there.
import fs from 'node:fs'
import path from 'node:path'
import { isAlive } from './process.mjs'
import { stateDir } from './state.mjs'

function base() {
  return path.join(stateDir(), 'throw-away')
}

/** A fresh folder that carries the id of this process in its name. */
export function throwAwayDir(name) {
  fs.mkdirSync(base(), { recursive: true, mode: 0o700 })
  return fs.mkdtempSync(path.join(base(), `${String(process.pid)}-${name}-`))
}

/** Removes the folders of processes that are gone; their servers went with them. */
export function sweepThrowAways() {
  if (!fs.existsSync(base())) return
  for (const name of fs.readdirSync(base())) {
    if (isAlive(Number.parseInt(name, 10))) continue
    fs.rmSync(path.join(base(), name), { recursive: true, force: true, maxRetries: 5 })
  }
}
