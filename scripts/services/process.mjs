// Processes: running a command with a deadline, starting servers in the background, and telling whether a
// recorded process is still the one that we started.
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

export function sleep(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/**
 * Runs a command to its end. Never throws: a command that is missing or passes its deadline is reported
 * with `ok: false` and a `reason`.
 */
export function run(command, args, { deadlineMs = 30_000, env = {}, cwd, input, uid, gid } = {}) {
  return new Promise((resolve) => {
    let output = ''
    let late = false
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
      uid,
      gid,
    })
    const collect = (chunk) => {
      output = (output + chunk.toString()).slice(-200_000)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    if (input !== undefined) child.stdin.end(input)
    const timer = setTimeout(() => {
      late = true
      signalGroup(child.pid, 'SIGKILL')
    }, deadlineMs)
    const end = (code, reason) => {
      clearTimeout(timer)
      resolve({ ok: code === 0 && !late, code, output, reason })
    }
    child.on('error', (error) => {
      end(-1, `${command}: ${error.message}`)
    })
    child.on('close', (code, signal) => {
      if (late) end(-1, `${command} took longer than ${String(deadlineMs / 1000)} s`)
      else if (code === 0) end(0)
      else
        end(code ?? -1, `${command} ended with ${String(code ?? signal)}: ${lastLines(output, 3)}`)
    })
  })
}

/** Signals a process group that we started; a group that is gone is no error. */
export function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

/** Starts a server that outlives this process; its output goes to `logFile`. */
export function spawnServer({ command, args, env, cwd, logFile, uid, gid }) {
  const log = fs.openSync(logFile, 'a')
  try {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
      detached: true,
      uid,
      gid,
    })
    child.on('error', () => {})
    child.unref()
    return child.pid
  } finally {
    fs.closeSync(log)
  }
}

/**
 * Kills the given processes as soon as this process is gone, however it ends: the watcher holds the other
 * end of a pipe. Returns a function that calls it off.
 */
export function killWithMe(pids) {
  const watcher = spawn(
    'sh',
    ['-c', 'cat >/dev/null; kill -9 "$@" 2>/dev/null', 'sh', ...pids.map(String)],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    },
  )
  watcher.on('error', () => {})
  watcher.stdin.on('error', () => {})
  watcher.unref()
  watcher.stdin.unref()
  return () => {
    watcher.kill('SIGKILL')
  }
}

/** Whether the process runs. A zombie does not: in a container nobody may ever reap it. */
export function isAlive(pid) {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
  return statOf(pid)?.[0] !== 'Z'
}

/** When the process was started, in the words of the system: tells a reused process id from the original. */
export function startMark(pid) {
  const fields = statOf(pid)
  if (fields) return fields[19]
  const listed = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
  return listed.stdout?.trim() || undefined
}

/** The fields of /proc/<pid>/stat from the state on, or undefined where there is no /proc. */
function statOf(pid) {
  try {
    const text = fs.readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** Whether the recorded process is alive and the same one as when it was recorded. */
export function isSame(recorded) {
  if (!recorded?.pid || !isAlive(recorded.pid)) return false
  return recorded.mark === undefined || recorded.mark === startMark(recorded.pid)
}

/** Waits until the process is gone; false when it is still there after the deadline. */
export async function waitForEnd(pid, deadlineMs) {
  const until = Date.now() + deadlineMs
  while (isAlive(pid)) {
    if (Date.now() > until) return false
    await sleep(20)
  }
  return true
}

/** The first of the commands that exists: absolute paths as they are, names through PATH. */
export function which(...commands) {
  const folders = [
    ...(process.env.PATH ?? '').split(path.delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
  ]
  for (const command of commands) {
    const places = path.isAbsolute(command)
      ? [command]
      : folders.map((folder) => path.join(folder, command))
    const found = places.find((place) => isExecutable(place))
    if (found !== undefined) return found
  }
  return undefined
}

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}

/** The end of a text, on one line, for use in a reason. */
export function lastLines(text, count) {
  return text.trim().split('\n').slice(-count).join(' | ').slice(-600)
}

/** The end of a log file, on one line. */
export function lastLinesOf(file, count = 5) {
  try {
    return lastLines(fs.readFileSync(file, 'utf8'), count)
  } catch {
    return '(no log)'
  }
}
