// `npm test`: builds, brings the servers up, runs every workspace's tests one after the other and counts
// them. The last line printed is always `N passed, N failed` (and `, N skipped` when there are any).
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { ensure, masked, serviceNames, stop, sweep, variables } from './services/index.mjs'
import { signalGroup } from './services/process.mjs'
import { rootDir } from './services/state.mjs'
import { testWorkspaces } from './workspaces.mjs'

const usage = `usage: npm test -- [--only <workspace>]... [--no-build] [--no-services] [-- <jest arguments>]

  --only         a workspace by its folder or package name; may be repeated
  --no-build     trust what is built
  --no-services  start no servers; tests use what they find`

const total = { passed: 0, failed: 0, skipped: 0 }
const started = []
let child
let cancelled

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    cancelled ??= signal
    signalChild(signal)
    setTimeout(signalChild, 10_000, 'SIGKILL').unref()
  })
}

const options = parse(process.argv.slice(2))
try {
  await main()
} catch (error) {
  fail(error.stack ?? String(error))
} finally {
  await stopStarted()
}
finish()

async function main() {
  const workspaces = choose(testWorkspaces(), options.only)
  if (workspaces.length === 0) return
  if (options.build && (await runInherited('npm', ['run', '--silent', 'build'])) !== 0) {
    fail('the build failed; no test was run')
    return
  }
  const env = options.services ? await bringUp() : {}
  for (const workspace of workspaces) {
    if (cancelled) break
    await test(workspace, env)
  }
}

function parse(words) {
  const split = words.indexOf('--')
  const own = split < 0 ? words : words.slice(0, split)
  const parsed = {
    only: [],
    build: true,
    services: true,
    jest: split < 0 ? [] : words.slice(split + 1),
  }
  while (own.length > 0) {
    const word = own.shift()
    if (word === '--only' && own.length > 0) parsed.only.push(own.shift())
    else if (word.startsWith('--only=')) parsed.only.push(word.slice('--only='.length))
    else if (word === '--no-build') parsed.build = false
    else if (word === '--no-services') parsed.services = false
    else {
      console.error(`unexpected: ${word}\n\n${usage}`)
      process.exit(2)
    }
  }
  return parsed
}

function choose(workspaces, only) {
  if (only.length === 0) return workspaces
  const chosen = workspaces.filter(({ names }) => only.some((name) => names.includes(name)))
  const unknown = only.filter((name) => !workspaces.some(({ names }) => names.includes(name)))
  if (unknown.length > 0) {
    const known = workspaces.map(({ dir }) => dir).join(', ')
    fail(`no workspace with tests is called ${unknown.join(', ')}: there are ${known}`)
  }
  return chosen
}

/** Finds or starts the servers; returns the environment that tells the tests about them. */
async function bringUp() {
  headline('services')
  const log = (line) => {
    console.log(`  ${line}`)
  }
  const found = await Promise.all(serviceNames.map((name) => ensure(name, { log })))
  const env = {}
  for (const one of found) {
    if (one.fresh) started.push(one.name)
    if (one.missing) {
      console.log(`${one.name}: missing: ${one.missing}`)
      if (isCi()) fail(`${one.name} is required when CI is set`)
    } else {
      console.log(`${one.name}: ${one.version} at ${masked(one.url ?? one.path)} (${one.how})`)
      env[variables[one.name]] = one.url ?? one.path
    }
  }
  return env
}

async function test(workspace, env) {
  headline(workspace.dir)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'celeriac-test-'))
  const outputFile = path.join(folder, 'result.json')
  try {
    const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
    const jest = path.join(rootDir, 'node_modules', 'jest', 'bin', 'jest.js')
    // A pattern rarely matches in every workspace.
    const tolerance = options.jest.length > 0 ? ['--passWithNoTests'] : []
    const words = [...flags, jest, '--json', '--outputFile', outputFile, ...tolerance]
    const cwd = path.join(rootDir, workspace.dir)
    const code = await runInherited(process.execPath, [...words, ...options.jest], { cwd, env })
    count(workspace, code, readResult(outputFile))
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

function count(workspace, code, result) {
  if (!result) {
    // A cancelled run is reported as such in the end.
    if (!cancelled) fail(`${workspace.dir}: jest ended with ${String(code)} and left no result`)
    return
  }
  const broken = result.testResults.filter(
    (suite) => suite.status === 'failed' && !suite.assertionResults.some(isFailed),
  )
  total.passed += result.numPassedTests
  total.skipped += result.numPendingTests + result.numTodoTests
  total.failed += result.numFailedTests + broken.length
  const failures = result.numFailedTests + broken.length
  // Jest also fails for reasons that no test carries, such as a coverage threshold.
  if (code !== 0 && failures === 0 && !cancelled)
    fail(`${workspace.dir}: jest ended with ${String(code)}`)
}

function isFailed(assertion) {
  return assertion.status === 'failed'
}

function readResult(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function runInherited(command, args, { cwd = rootDir, env = {} } = {}) {
  return new Promise((resolve) => {
    // A group of its own, so that jest's workers end with jest when the run is cancelled.
    child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    })
    child.on('error', (error) => {
      console.error(error.message)
      resolve(127)
    })
    child.on('exit', () => {
      if (cancelled) signalChild('SIGKILL')
    })
    child.on('close', (code, signal) => {
      child = undefined
      resolve(code ?? signal)
    })
  })
}

function signalChild(signal) {
  if (child?.pid !== undefined) signalGroup(child.pid, signal)
}

async function stopStarted() {
  for (const name of started.toReversed()) {
    try {
      await stop(name)
    } catch (error) {
      fail(`${name}: ${error.message}`)
    }
  }
  sweep()
}

function finish() {
  if (cancelled) fail(`\ncancelled by ${cancelled}`)
  if (total.passed + total.failed === 0) console.error('\nno test was run')
  const ok = total.failed === 0 && total.passed > 0 && !cancelled
  const skipped = total.skipped > 0 ? `, ${String(total.skipped)} skipped` : ''
  const line = `${String(total.passed)} passed, ${String(total.failed)} failed${skipped}\n`
  process.stdout.write(line, () => {
    process.exit(ok ? 0 : 1)
  })
}

function fail(reason) {
  total.failed += 1
  console.error(reason)
}

function headline(text) {
  console.log(`\n== ${text}`)
}

function isCi() {
  return !['', '0', 'false'].includes(process.env.CI ?? '')
}
