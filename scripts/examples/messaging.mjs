// Runs examples/messaging on every broker there is. What an example prints is the same everywhere; where a
// broker lacks the ability an example is about, it has to say so by name.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { transports } from '@celeriac/messaging'
import { ensure, find, masked, stop } from '../services/index.mjs'
import { rootDir } from '../services/state.mjs'
import { difference, run, troubleOf } from './program.mjs'

const folder = path.join(rootDir, 'examples', 'messaging')
const deadlineMs = 20_000
/** Two at once: most of the time of each is the start of its process. */
const atOnce = 2

/** The ability without which an example is refused. */
const needs = {
  delayed: 'delay',
  'delayed-publish': 'delayedPublish',
  'dead-letters': 'deadLetters',
}

/** On shared servers, a corner of our own. */
const corners = {
  redis: (url) => withQuery(url, 'global_keyprefix', 'celeriac-examples:'),
  rabbitmq: (url) => url,
  postgres: (url) => withQuery(url, 'schema', 'celeriac_examples'),
  mongodb(url) {
    const parsed = new URL(url)
    if (parsed.pathname.length <= 1) parsed.pathname = '/celeriac_examples'
    return parsed.href
  },
}

export function messagingExamples() {
  return fs
    .readdirSync(folder)
    .filter((file) => file.endsWith('.txt'))
    .map((file) => file.slice(0, -'.txt'.length))
    .sort(byText)
}

/** Runs the named examples everywhere; resolves with `{ ran, failed }`. */
export async function runMessaging(names) {
  const files = fs.mkdtempSync(path.join(os.tmpdir(), 'celeriac-examples-'))
  const started = []
  const count = { ran: 0, failed: 0 }
  try {
    for (const broker of await brokers(files, started)) {
      if (broker.missing === undefined) await runOn(broker, names, count)
      else if (isCi()) {
        count.failed += 1
        console.log(`✘ messaging on ${broker.name}: required when CI is set: ${broker.missing}`)
      } else console.log(`- messaging on ${broker.name}: skipped: ${broker.missing}`)
    }
  } finally {
    for (const name of started.toReversed()) await stop(name)
    fs.rmSync(files, { recursive: true, force: true })
  }
  return count
}

/** Without CI only servers that run already: an example is no reason to install one. */
async function brokers(files, started) {
  const servers = await Promise.all(
    Object.entries(corners).map(async ([name, corner]) => {
      const found = await (isCi() ? ensure(name) : find(name))
      if (found.fresh) started.push(name)
      if (found.missing) return { name, missing: found.missing }
      return { name: `${name} ${found.version}`, url: corner(found.url) }
    }),
  )
  return [
    { name: 'memory', url: 'memory://examples' },
    { name: 'sqlite', url: `sqlite://${path.join(files, 'broker.db')}` },
    { name: 'filesystem', url: `filesystem://${path.join(files, 'folders')}` },
    ...servers,
  ]
}

async function runOn({ name, url }, names, count) {
  const begin = Date.now()
  const { capabilities } = await transports[new URL(url).protocol.slice(0, -1)].load()
  const waiting = [...names]
  const passed = []
  const refused = []
  const problems = []
  const work = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const ability = needs[one]
      const isAble = ability === undefined || capabilities[ability]
      const result = await run(folder, [`${one}.ts`, url], deadlineMs)
      const problem = troubleOf(result, deadlineMs) ?? judge(one, result.stdout, isAble, ability)
      if (problem !== undefined) problems.push(`${one}: ${problem}`)
      else if (isAble) passed.push(one)
      else refused.push(`${one}: ${result.stdout.trim()}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  const seconds = ((Date.now() - begin) / 1000).toFixed(1)
  const mark = problems.length === 0 ? '✔' : '✘'
  console.log(`${mark} messaging on ${name}: ${passed.toSorted(byText).join(', ')} (${seconds} s)`)
  for (const line of refused.toSorted(byText)) console.log(`    refused by name: ${line}`)
  for (const line of problems.toSorted(byText))
    console.log(`  ✘ ${line.replaceAll(url, masked(url))}`)
  count.ran += names.length
  count.failed += problems.length
}

function judge(name, stdout, isAble, ability) {
  if (isAble) return difference(fs.readFileSync(path.join(folder, `${name}.txt`), 'utf8'), stdout)
  const [line = ''] = stdout.trimEnd().split('\n').slice(-1)
  if (/^MESSAGING_NOT_SUPPORTED the \w+ transport cannot \S/.test(line)) return undefined
  return `the transport lacks ${ability} and should have refused by name, but printed\n${stdout}`
}

function withQuery(url, name, value) {
  return `${url}${url.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(value)}`
}

function byText(a, b) {
  return a < b ? -1 : 1
}

function isCi() {
  return !['', '0', 'false'].includes(process.env.CI ?? '')
}
