// Runs every examples/<name>/main.ts and compares what it prints with its expected.txt, then the programs of
// examples/messaging on every broker, so that no example rots. Needs a build. `run-examples.mjs [names…]` runs
// only those: `hello`, `messaging`, `messaging/loop`.
import fs from 'node:fs'
import path from 'node:path'
import { messagingExamples, runMessaging } from './examples/messaging.mjs'
import { difference, run, troubleOf } from './examples/program.mjs'
import { rootDir } from './services/state.mjs'

const deadlineMs = 60_000
const folder = path.join(rootDir, 'examples')
const wanted = process.argv.slice(2)
const isWanted = (name) =>
  wanted.length === 0 || wanted.includes(name) || wanted.includes(path.dirname(name))
const programs = fs
  .readdirSync(folder)
  .filter((name) => fs.existsSync(path.join(folder, name, 'main.ts')))
  .sort()
const onBrokers = messagingExamples()
const known = [...programs, 'messaging', ...onBrokers.map((name) => `messaging/${name}`)]
const unknown = wanted.filter((name) => !known.includes(name))
if (unknown.length > 0) {
  console.error(`no such example: ${unknown.join(', ')}; there are ${known.join(', ')}`)
  process.exit(2)
}

let ran = 0
let failed = 0
for (const name of programs.filter(isWanted)) {
  const begin = Date.now()
  const problem = await check(name)
  const seconds = ((Date.now() - begin) / 1000).toFixed(1)
  console.log(problem === undefined ? `✔ ${name} (${seconds} s)` : `✘ ${name}: ${problem}`)
  ran += 1
  if (problem !== undefined) failed += 1
}
const chosen = onBrokers.filter((name) => isWanted(`messaging/${name}`))
if (chosen.length > 0) {
  const count = await runMessaging(chosen)
  ran += count.ran
  failed += count.failed
}
console.log(`${String(ran)} examples ran, ${String(failed)} failed`)
process.exit(failed === 0 ? 0 : 1)

/** Undefined when the example does what it promises. */
async function check(name) {
  const expectedFile = path.join(folder, name, 'expected.txt')
  if (!fs.existsSync(expectedFile)) return 'it has no expected.txt'
  const result = await run(path.join(folder, name), ['main.ts'], deadlineMs)
  const expected = fs.readFileSync(expectedFile, 'utf8')
  return troubleOf(result, deadlineMs) ?? difference(expected, result.stdout)
}
