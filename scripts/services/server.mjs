// A server process under our control: start, warm stop, kill, freeze, and again. The same handle serves the
// shared test servers and the throw-away ones that outage tests break on purpose.
import fs from 'node:fs'
import {
  isAlive,
  isSame,
  killWithMe,
  lastLinesOf,
  sleep,
  spawnServer,
  startMark,
  waitForEnd,
} from './process.mjs'

/**
 * @param recipe what to start: `name`, `url`, `port`, `dir`, `logFile`, `command`, `args`, `env`, `cwd`,
 *   `startMs`, `stopMs` and optionally `helper` (a second process that must run first), `stopSignal` for a
 *   warm stop, `uid` and `gid` to run as.
 * @param options `ready()` resolves with `{ version }` or throws; `running` attaches to recorded processes;
 *   `tied` kills the server when this process ends; `changed(record)` hears of new process ids.
 */
export function controlledServer(recipe, { ready, running, tied = false, changed = () => {} }) {
  let main = running?.main
  let helper = running?.helper
  let version = running?.version
  let untie = () => {}

  const record = () => ({ ...recipe, version, pid: main?.pid, main, helper, startedByUs: true })
  const launch = (what) => {
    const pid = spawnServer({ ...what, logFile: recipe.logFile })
    if (pid === undefined) throw new Error(`${recipe.name}: cannot start ${what.command}`)
    return { pid, mark: startMark(pid) }
  }
  const kill = async (one, signal, deadlineMs) => {
    if (!isSame(one)) return
    process.kill(one.pid, signal)
    if (signal !== 'SIGKILL' && (await waitForEnd(one.pid, deadlineMs))) return
    if (isSame(one)) process.kill(one.pid, 'SIGKILL')
    if (!(await waitForEnd(one.pid, 5000))) throw new Error(`${recipe.name} survives SIGKILL`)
  }
  const end = async (signal) => {
    untie()
    // A frozen process hears no signal but SIGKILL and SIGCONT.
    if (signal !== 'SIGKILL' && isSame(main)) process.kill(main.pid, 'SIGCONT')
    await kill(main, signal, recipe.stopMs)
    await kill(helper, 'SIGTERM', 2000)
  }

  const server = {
    name: recipe.name,
    url: recipe.url,
    port: recipe.port,
    dir: recipe.dir,
    startedByUs: true,
    get pid() {
      return main?.pid
    },
    get version() {
      return version
    },
    /** Starts the server on its port and data, and waits until it answers. A running one is left alone. */
    async start() {
      if (isSame(main)) return
      if (recipe.helper && !isSame(helper)) {
        helper = launch(recipe.helper)
        await sleep(100)
      }
      main = launch(recipe)
      untie = tied ? killWithMe([main.pid, ...(helper ? [helper.pid] : [])]) : untie
      changed(record())
      try {
        version = (await waitUntilReady(recipe, ready, main.pid)).version
      } catch (error) {
        await end('SIGKILL')
        throw error
      }
      changed(record())
    },
    /** Warm stop: the server saves what it holds. Safe when it is down already. */
    stop: () => end(recipe.stopSignal ?? 'SIGTERM'),
    /** As a power cut would: nothing is saved beyond what the server had confirmed. */
    kill9: () => end('SIGKILL'),
    async restart() {
      await end(recipe.stopSignal ?? 'SIGTERM')
      await server.start()
    },
    /** Freezes the server: connections stay open, nobody answers. */
    pause() {
      if (!isSame(main)) return
      process.kill(main.pid, 'SIGSTOP')
      // Its threads stop one after the other: until then it may answer.
      const latestMs = Date.now() + 1000
      while (!isStopped(main.pid) && Date.now() < latestMs);
    },
    resume() {
      if (isSame(main)) process.kill(main.pid, 'SIGCONT')
    },
    /** Kills it and removes its data. */
    async dispose() {
      await end('SIGKILL')
      fs.rmSync(recipe.dir, { recursive: true, force: true, maxRetries: 5 })
    },
    record,
  }
  return server
}

async function waitUntilReady(recipe, ready, pid) {
  const until = Date.now() + recipe.startMs
  let reason = 'no attempt'
  while (Date.now() < until) {
    if (!isAlive(pid)) {
      throw new Error(`${recipe.name} ended while starting: ${lastLinesOf(recipe.logFile)}`)
    }
    try {
      return await ready()
    } catch (error) {
      reason = error.message
      await sleep(50)
    }
  }
  const seconds = String(recipe.startMs / 1000)
  throw new Error(
    `${recipe.name} is not ready after ${seconds} s (${reason}): ${lastLinesOf(recipe.logFile)}`,
  )
}

/** True when every thread of the process stands still; also where that cannot be seen. */
function isStopped(pid) {
  try {
    const tasks = fs.readdirSync(`/proc/${pid}/task`)
    return tasks.every((task) =>
      / [TtZX] /.test(
        fs.readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8').replace(/.*\)/, ''),
      ),
    )
  } catch {
    return true
  }
}
