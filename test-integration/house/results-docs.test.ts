// The guide to results is held against the code: its programs compile, and no method is missing in it.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { AsyncResult, GroupResult, RemoteError, ResultSet } from '@celeriac/tasks'
import { afterAll, beforeAll, expect, it } from '@jest/globals'

const root = path.resolve(import.meta.dirname, '../..')
const text = fs.readFileSync(path.join(root, 'docs/results.md'), 'utf8')
/** Where packages are found as in a user's project. */
const folder = path.join(root, 'node_modules', '.cache', `results-docs-${String(process.pid)}`)

beforeAll(() => {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }')
})

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

it('the programs of the guide to results compile', () => {
  const programs = [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code!)
  const files = programs.map((_code, i) => `program-${String(i + 1)}.ts`)
  for (const [i, code] of programs.entries()) fs.writeFileSync(path.join(folder, files[i]!), code)
  const tsconfig = {
    extends: path.join(root, 'tsconfig.base.json'),
    compilerOptions: { noEmit: true, skipLibCheck: true },
    files,
  }
  fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const words = [tsc, '-p', folder, '--pretty', 'false']
  const { stdout, stderr } = spawnSync(process.execPath, words, { cwd: folder, encoding: 'utf8' })

  expect(programs.length).toBeGreaterThan(3)
  expect(`${stdout}${stderr}`.trim()).toBe('')
}, 60_000)

it.each([
  ['AsyncResult', AsyncResult.prototype],
  ['ResultSet', ResultSet.prototype],
  ['GroupResult', GroupResult.prototype],
])('the guide names every member of %s', (_name, prototype) => {
  const members = Object.getOwnPropertyNames(prototype).filter((one) => one !== 'constructor')
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!.replace(/\(.*/, ''))

  expect(members.length).toBeGreaterThan(8)
  expect(members.filter((one) => !spans.includes(one))).toEqual([])
})

it('the guide names every property of RemoteError', () => {
  const names = Object.keys(new RemoteError('E', 'm', [])).filter((one) => one !== 'name')

  expect(names.filter((one) => !text.includes(`\`${one}\``))).toEqual([])
})
