// Runs one program with a deadline, and compares what it printed with what was expected.
import { spawn } from 'node:child_process'

/** Resolves with `{ code, stdout, stderr, late }`; `late` says that it had to be ended. */
export function run(cwd, words, deadlineMs) {
  return new Promise((resolve) => {
    const result = { code: undefined, stdout: '', stderr: '', late: false }
    // A group of its own, so that the processes of a worker end with the example.
    const child = spawn(process.execPath, ['--import', 'tsx', ...words], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const endGroup = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // Nothing is left of it.
      }
    }
    const timer = setTimeout(() => {
      result.late = true
      endGroup()
    }, deadlineMs)
    child.stdout.on('data', (chunk) => {
      result.stdout += chunk.toString()
    })
    child.stderr.on('data', (chunk) => {
      result.stderr += chunk.toString()
    })
    child.on('exit', endGroup)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ ...result, code: code ?? signal })
    })
  })
}

/** What went wrong with a run, whatever it printed; undefined when it ended well. */
export function troubleOf({ code, stdout, stderr, late }, deadlineMs) {
  if (late) return `not finished after ${String(deadlineMs / 1000)} s\n${stdout}${stderr}`
  if (code !== 0) return `ended with ${String(code)}\n${stdout}${stderr}`
  return undefined
}

/** Compares line by line; spaces at the ends of lines and empty last lines do not count. */
export function difference(expected, actual) {
  const lines = (text) =>
    text
      .trimEnd()
      .split(/\r?\n/)
      .map((line) => line.trimEnd())
  const [left, right] = [lines(expected), lines(actual)]
  const at = [...left, ...right].findIndex((_, index) => left[index] !== right[index])
  if (at < 0) return undefined
  const show = (line) => (line === undefined ? '(nothing)' : JSON.stringify(line))
  return `line ${String(at + 1)} differs\n  expected ${show(left[at])}\n  printed  ${show(right[at])}`
}
