// The layer check itself: a small repository in a temporary folder, good at first, then with one fault.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'

const script = path.resolve(import.meta.dirname, '../../scripts/check-layers.mjs')
const folders: string[] = []

const messaging = 'packages/messaging/src'
const tasks = 'packages/tasks/src'

const good: Readonly<Record<string, string>> = {
  'packages/messaging/package.json': '{"dependencies":{"amqplib":"1","p-retry":"1"}}',
  'packages/tasks/package.json': '{"dependencies":{"@celeriac/messaging":"1"}}',
  'apps/cli/package.json': '{"dependencies":{"@celeriac/tasks":"1","commander":"1"}}',
  [`${messaging}/kernel/clock.ts`]: 'export const now = () => Date.now()\n',
  [`${messaging}/kernel/retry.ts`]: "import retry from 'p-retry'\nexport { retry }\n",
  [`${messaging}/message/message.ts`]:
    "import type { now } from '../kernel/clock.ts'\nexport type A = typeof now\n",
  [`${messaging}/transport/channel.ts`]: "export * from '../message/message.ts'\n",
  [`${messaging}/transports/index.ts`]: "export const amqp = () => import('./amqp/transport.ts')\n",
  [`${messaging}/transports/amqp/transport.ts`]:
    "import amqplib from 'amqplib'\nimport '../../transport/channel.ts'\nexport { amqplib }\n",
  [`${messaging}/index.ts`]: "export * from './transports/index.ts'\n",
  [`${tasks}/app/app.ts`]:
    "import '@celeriac/messaging'\nimport { x } from '@celeriac/messaging/internal'\nexport { x }\n",
  [`${tasks}/canvas/plan.ts`]: 'export const at = (ms: number) => new Date(ms)\n',
  'apps/cli/src/main.ts':
    "import '@celeriac/tasks'\nimport { Command } from 'commander'\nexport { Command }\n",
}

function check(changes: Readonly<Record<string, string>> = {}) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'celeriac-layers-'))
  folders.push(root)
  for (const [file, text] of Object.entries({ ...good, ...changes })) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    fs.writeFileSync(path.join(root, file), text)
  }
  const { status, stderr } = spawnSync(process.execPath, [script, root], { encoding: 'utf8' })
  return { status, problems: stderr.split('\n').filter((line) => line !== '') }
}

afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true })
})

describe('check-layers', () => {
  it('accepts imports that point downwards', () => {
    expect(check()).toEqual({ status: 0, problems: [] })
  })

  it.each([
    [
      'a higher rank',
      `${messaging}/message/a.ts`,
      "import '../transport/channel.ts'",
      'message (rank 1) imports ../transport/channel.ts from transport (rank 3), a higher rank',
    ],
    [
      'a sibling of the same rank',
      `${messaging}/topology/a.ts`,
      "import type { A } from '../message/message.ts'",
      'a sibling of the same rank',
    ],
    [
      'a nested folder as its top folder',
      `${messaging}/transport/a.ts`,
      "export const a = () => import('../transports/amqp/transport.ts')",
      'from transports (rank 5), a higher rank',
    ],
    [
      'a type import in the middle of a type',
      `${messaging}/kernel/a.ts`,
      "export type A = import('../message/message.ts').A",
      'kernel (rank 0) imports ../message/message.ts',
    ],
    [
      'an import over several lines',
      `${messaging}/kernel/a.ts`,
      "import {\n  // a comment; with 'quotes'\n  a,\n} from '../message/message.ts'\nexport { a }",
      'a.ts:4: kernel (rank 0) imports',
    ],
    [
      'the front door from inside',
      `${messaging}/connection/a.ts`,
      "export * from '../index.ts'",
      'from index (rank 9)',
    ],
    [
      'a folder without a rank',
      `${messaging}/utils/a.ts`,
      'export const a = 1',
      'the folder utils has no rank',
    ],
    [
      'a path out of the package',
      `${tasks}/app/a.ts`,
      "import '../../../messaging/src/index.ts'",
      'lies outside of packages/tasks/src',
    ],
    [
      'a deep path into a package',
      `${tasks}/app/a.ts`,
      "import '@celeriac/messaging/dist/index.js'",
      'packages/tasks may import @celeriac/messaging',
    ],
    [
      'a package above',
      `${messaging}/connection/a.ts`,
      "import '@celeriac/tasks'",
      'may import none of our packages',
    ],
    [
      'a layer skipped by an app',
      'apps/cli/src/a.ts',
      "import '@celeriac/messaging'",
      'apps/cli may import @celeriac/tasks',
    ],
    [
      'test suites outside of testing',
      `${tasks}/app/a.ts`,
      "import '@celeriac/messaging/testing'",
      '@celeriac/messaging/testing (in testing)',
    ],
    [
      'a library beside its door',
      `${messaging}/connection/a.ts`,
      "import 'amqplib'",
      'imports amqplib, whose only door is packages/messaging/src/transports/amqp/',
    ],
    [
      'a part of a library beside its door',
      `${messaging}/connection/a.ts`,
      "export const a = await import('amqplib/callback_api.js')",
      'imports amqplib, whose only door',
    ],
    [
      'node:sqlite beside its door',
      `${tasks}/backends/sqlite.ts`,
      "import 'node:sqlite'",
      'imports node:sqlite, whose only door is packages/messaging/src/clients/sqlite.ts',
    ],
    [
      'a library that is not declared',
      `${messaging}/kernel/a.ts`,
      "import 'left-pad'",
      'imports left-pad, which packages/messaging/package.json does not declare',
    ],
    [
      'files in a pure folder',
      `${tasks}/canvas/a.ts`,
      "import 'fs'",
      'a pure folder imports node:fs',
    ],
    [
      'a timer in a pure folder',
      `${tasks}/schedules/a.ts`,
      'export const a = () => setTimeout(() => {}, 1)',
      'a pure folder uses a timer',
    ],
    [
      'the clock in a pure file',
      `${messaging}/virtual/window.ts`,
      'export const a = () => new Date()',
      'a pure folder uses the clock',
    ],
    [
      'the clock inside a template',
      `${tasks}/events/state.ts`,
      'export const a = () => `at ${ { t: Date.now() }.t } ms`',
      'the clock (Date.now)',
    ],
    [
      'randomness in a pure folder',
      `${tasks}/protocol/a.ts`,
      "import { randomUUID } from 'node:crypto'\nexport { randomUUID }",
      'a pure folder uses randomness',
    ],
  ])('refuses %s', (_, file, text, expected) => {
    const { status, problems } = check({ [file]: `${text}\n` })

    expect(status).toBe(1)
    expect(problems.join('\n')).toContain(expected)
  })

  it.each([
    ['comments', "// import '../transport/channel.ts'\n/* setTimeout() */ export const a = 1"],
    ['strings', "export const a = 'Date.now()' + \"import '../index.ts'\""],
    ['templates', "export const a = `Date.now() import '../index.ts'`"],
    [
      'regular expressions',
      "export const a = /['\"`]/.test('x') || /import '..\\/index.ts'/.test('')",
    ],
    ['words that contain a name', 'export const mySetTimeoutMs = 1, rebirthDate = new Date(0)'],
  ])('is not fooled by %s', (_, text) => {
    expect(check({ [`${messaging}/message/a.ts`]: `${text}\n` }).problems).toEqual([])
  })

  it('leaves a neighbour of a pure file alone', () => {
    const text = 'export const a = () => Math.random()\n'

    expect(check({ [`${tasks}/events/state-views.ts`]: text }).problems).toEqual([])
  })

  it('refuses a package of which it knows nothing', () => {
    const { status, problems } = check({ 'packages/new/src/index.ts': 'export {}\n' })

    expect(status).toBe(1)
    expect(problems[0]).toContain('packages/new: not in scripts/layers/rules.mjs')
  })
})
