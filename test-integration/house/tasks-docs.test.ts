// The guide to tasks is held against the code: its programs compile, and no option, member or signal is missing in it.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'

const root = path.resolve(import.meta.dirname, '../..')
const text = fs.readFileSync(path.join(root, 'docs/tasks.md'), 'utf8')
/** Where packages are found as in a user's project. */
const folder = path.join(root, 'node_modules', '.cache', `tasks-docs-${String(process.pid)}`)

function compile(programs: readonly string[]): string {
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
  return `${stdout}${stderr}`.trim()
}

beforeAll(() => {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }')
})

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

it('the programs of the guide to tasks compile', () => {
  const programs = [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code!)

  expect(programs.length).toBeGreaterThan(8)
  expect(compile(programs)).toBe('')
}, 60_000)

it.each(['TaskOptions', 'TaskContext', 'AppSignals', 'UniqueMode'])(
  'the guide names everything in %s',
  (type) => {
    const spans = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`]+)`/g)]
    const names = new Set(spans.map(([, span]) => span!.replace(/\(.*/s, '')))
    const union = [...names].map((name) => JSON.stringify(name)).join(' | ')
    const keys = type === 'UniqueMode' ? `Tasks.${type}` : `keyof Tasks.${type}`
    const code = [
      "import type * as Tasks from '@celeriac/tasks'",
      `type Named = ${union}`,
      // `bind` is accepted for its name alone.
      `type Missing = Exclude<${keys}, Named | 'bind'>`,
      // The message names what is missing.
      'export const none: Record<Missing, true> = {}',
    ]

    expect(names.size).toBeGreaterThan(50)
    expect(compile([code.join('\n')])).toBe('')
  },
  60_000,
)
