// Runs every examples/<name>/main.ts and compares what it prints with its expected.txt, so that no example
// rots. Needs a build. `run-examples.mjs [names…]` runs only those.
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { rootDir } from './services/state.mjs'

const deadlineMs = 60_000
const folder = path.join(rootDir, 'examples')
const wanted = process.argv.slice(2)
const names = listExamples().filter((name) => wanted.length === 0 || wanted.includes(name))
const unknown = wanted.filter((name) => !names.includes(name))
if (unknown.length > 0) {
  console.error(`no such example: ${unknown.join(', ')}`)
  process.exit(2)
}
if (names.length === 0) console.log('there are no examples yet')

let failed = 0
for (const name of names) {
  const begin = Date.now()
  const problem = await check(name)
  const seconds = ((Date.now() - begin) / 1000).toFixed(1)
  console.log(problem === undefined ? `✔ ${name} (${seconds} s)` : `✘ ${name}: ${problem}`)
  if (problem !== undefined) failed += 1
}
if (names.length > 0)
  console.log(`${String(names.length - failed)} examples ran, ${String(failed)} failed`)
process.exit(failed === 0 ? 0 : 1)

function listExamples() {
  if (!fs.existsSync(folder)) return []
  return fs
    .readdirSync(folder)
    .filter((name) => fs.existsSync(path.join(folder, name, 'main.ts')))
    .sort()
}

/** Undefined when the example does what it promises. */
async function check(name) {
  const expectedFile = path.join(folder, name, 'expected.txt')
  if (!fs.existsSync(expectedFile)) return 'it has no expected.txt'
  const { code, stdout, stderr, late } = await run(path.join(folder, name))
  if (late) return `not finished after ${String(deadlineMs / 1000)} s\n${stdout}${stderr}`
  if (code !== 0) return `ended with ${String(code)}\n${stdout}${stderr}`
  return difference(fs.readFileSync(expectedFile, 'utf8'), stdout)
}

function run(cwd) {
  return new Promise((resolve) => {
    const result = { code: undefined, stdout: '', stderr: '', late: false }
    // A group of its own, so that the processes of a worker end with the example.
    const child = spawn(process.execPath, ['--import', 'tsx', 'main.ts'], {
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

/** Compares line by line; spaces at the ends of lines and empty last lines do not count. */
function difference(expected, actual) {
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
