// Rounds, medians, processes and tables: what every bench here shares.
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { once } from 'node:events'

/** `--name value` of the command line, with defaults. */
export function readFlags(defaults) {
  const flags = { ...defaults }
  for (let i = 2; i < process.argv.length; i += 2) {
    const name = process.argv[i].replace(/^--/, '')
    if (!(name in defaults))
      throw new Error(`unknown flag --${name}; known: ${Object.keys(defaults).join(', ')}`)
    const value = process.argv[i + 1]
    flags[name] = typeof defaults[name] === 'number' ? Number(value) : value
  }
  return flags
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Starts a process that says `ready` on a line of its own; `done` resolves with its last JSON line. */
export async function start(command, args, env) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let output = ''
  let sayReady
  const ready = new Promise((resolve, reject) => {
    sayReady = resolve
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code}`)))
  })
  ready.catch(() => undefined)
  child.stdout.on('data', (chunk) => {
    output += chunk
    if (/^ready$/m.test(output)) sayReady()
  })
  const done = once(child, 'exit').then(([code]) => {
    const line = output.trim().split('\n').at(-1)
    try {
      return { code, ...JSON.parse(line) }
    } catch {
      return { code }
    }
  })
  return { child, ready, done, pid: child.pid }
}

/** Runs a process to its end; resolves with its last JSON line. */
export async function run(command, args, env) {
  const { done } = await start(command, args, env)
  const result = await done
  if (result.code !== 0) throw new Error(`${args.join(' ')} ended with ${result.code}`)
  return result
}

const ticksPerSecond = 100

/** CPU seconds of a process and all its descendants, from /proc; 0 where there is none. */
export function cpuSeconds(pid) {
  let total = 0
  for (const one of [pid, ...descendants(pid)]) {
    try {
      const fields = fs.readFileSync(`/proc/${one}/stat`, 'utf8').split(') ')[1].split(' ')
      total += (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
    } catch {
      // Gone, or no /proc here.
    }
  }
  return total
}

function descendants(pid) {
  try {
    const tasks = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    const children = tasks === '' ? [] : tasks.split(' ').map(Number)
    return children.flatMap((child) => [child, ...descendants(child)])
  } catch {
    return []
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Waits until `left()` falls from `count` to 0. Resolves with the rate between the first that was taken
 * and the last, and the CPU of the worker in microseconds for one.
 */
export async function drain(left, count, pid) {
  const deadline = Date.now() + 180_000
  let first
  let cpuAtFirst = 0
  for (;;) {
    const now = performance.now()
    const remaining = await left()
    if (first === undefined && remaining < count) {
      first = { at: now, taken: count - remaining }
      cpuAtFirst = cpuSeconds(pid)
    }
    if (remaining === 0) {
      const seconds = (performance.now() - first.at) / 1000
      const moved = Math.max(1, count - first.taken)
      const cpuUs = ((cpuSeconds(pid) - cpuAtFirst) / moved) * 1e6
      return { rate: moved / seconds, cpuUs }
    }
    if (Date.now() > deadline) throw new Error(`${remaining} of ${count} are left after 180 s`)
    await pause(5)
  }
}

/** Prints one line for each system: median, spread, ratio to `base`. */
export function table(title, rows, base) {
  console.log(`\n### ${title}\n`)
  console.log(`| system | per second | × ${base} | CPU µs each |`)
  console.log('|---|--:|--:|--:|')
  const baseRate = rows.has(base) ? median(rows.get(base).map(({ rate }) => rate)) : NaN
  const sorted = [...rows].sort(
    (a, b) => median(b[1].map(({ rate }) => rate)) - median(a[1].map(({ rate }) => rate)),
  )
  for (const [name, results] of sorted) {
    const rates = results.map(({ rate }) => rate)
    const cpus = results.map(({ cpuUs }) => cpuUs).filter((cpu) => cpu !== undefined)
    const spread = `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}; ${rates.length}`
    const ratio = (median(rates) / baseRate).toFixed(2)
    const cpu = cpus.length > 0 ? median(cpus).toFixed(1) : ''
    console.log(`| ${name} | ${Math.round(median(rates))} (${spread}) | ${ratio} | ${cpu} |`)
  }
}

/** Every system once in each round, each round beginning with another one. */
export async function rounds(count, systems, each) {
  const results = new Map(systems.map((name) => [name, []]))
  for (let round = 0; round < count; round++) {
    for (let i = 0; i < systems.length; i++) {
      const name = systems[(i + round) % systems.length]
      results.get(name).push(await each(name))
    }
  }
  return results
}
