// What the documents of messaging say is held against the code: their programs compile, the names they claim
// exist, and what is generated is fresh.
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { transports } from '@celeriac/messaging'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'

const root = path.resolve(import.meta.dirname, '../..')
const read = (file: string): string => fs.readFileSync(path.join(root, file), 'utf8')

/** Where packages are found as in a user's project. */
const folder = path.join(root, 'node_modules', '.cache', `celeriac-docs-${String(process.pid)}`)

/** Names that stand for what a document has shown before. */
const prelude: Readonly<Record<string, string>> = {
  connection: 'declare const connection: Messaging.Connection',
  producer: 'declare const producer: Messaging.Producer',
  jobs: 'declare const jobs: Messaging.Queue',
  work: 'declare function work(value: unknown, signal?: AbortSignal): Promise<unknown>',
}

interface Row {
  readonly name: string
  readonly header: string
  readonly spans: readonly string[]
}

/** Rows of the tables whose second column is named `here…`, with the code spans of that column. */
function claims(text: string): Row[] {
  const rows: Row[] = []
  let header: string | undefined
  for (const line of text.split('\n')) {
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
    if (cells.length < 4) header = undefined
    else if (cells[2]!.startsWith('here')) header = cells[2]!
    else if (header !== undefined && !/^[-: ]+$/.test(cells[2]!)) {
      const spans = [...cells[2]!.matchAll(/`([^`]+)`/g)].map(([, span]) => span!)
      rows.push({ name: cells[1]!, header, spans })
    }
  }
  return rows
}

/** Types with parameters, whose arguments do not matter here. */
const generic: Readonly<Record<string, string>> = {
  CommandContext: 'CommandContext<unknown>',
  MailboxNode: 'MailboxNode<unknown>',
  NodeOptions: 'NodeOptions<unknown>',
  Pool: 'Pool<unknown>',
  PoolFactory: 'PoolFactory<unknown>',
  PoolGroup: 'PoolGroup<Messaging.ConnectionPool, object>',
}

/** `Queue.name`, `queue()` or `connections.get()` as a type that exists when the name does. */
function typeOf(span: string): string {
  const [first = '', ...members] = span.replaceAll(/\(.*?\)/g, '').split('.')
  const base = /^[A-Z]/.test(first)
    ? `Messaging.${generic[first] ?? first}`
    : `(typeof Messaging.${first})`
  return `${base}${members.map((member) => `[${JSON.stringify(member)}]`).join('')}`
}

function compile(files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text)
  const tsconfig = {
    extends: path.join(root, 'tsconfig.base.json'),
    compilerOptions: { noEmit: true, skipLibCheck: true },
    files: Object.keys(files),
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

describe('the documents of messaging', () => {
  it.each(['packages/messaging/README.md', 'docs/adding-a-transport.md'])(
    'have only programs that compile in %s',
    (file) => {
      const programs = [...read(file).matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code], i) => {
        const declared = Object.entries(prelude)
          .filter(([name]) => !new RegExp(`(const|let|using|function) ${name}\\b`).test(code!))
          .map(([, line]) => line)
        const head = "import type * as Messaging from '@celeriac/messaging'"
        return [`program-${String(i + 1)}.ts`, [head, ...declared, code].join('\n')]
      })

      expect(programs.length).toBeGreaterThan(0)
      expect(compile(Object.fromEntries(programs))).toBe('')
    },
    60_000,
  )

  it('claim no name for Kombu’s that does not exist', () => {
    const names = claims(read('docs/kombu.md')).filter(({ header }) => header === 'here')
    const lines = names.flatMap(({ spans }) =>
      spans.map((span, i) => `export type Claim${String(i)}_${key()} = ${typeOf(span)} // ${span}`),
    )

    expect(lines.length).toBeGreaterThan(100)
    const head = "import type * as Messaging from '@celeriac/messaging'"
    expect(compile({ 'names.ts': [head, ...lines].join('\n') })).toBe('')
  }, 60_000)

  it('claim no transport option that its transport refuses', async () => {
    const rows = claims(read('docs/kombu.md'))
    let checked = 0
    for (const [scheme, entry] of Object.entries(transports)) {
      const { options } = await entry.load()
      for (const { header, spans } of rows) {
        if (header !== `here (options of ${scheme})` || !options) continue
        checked++
        for (const span of spans) expect(options).toContain(span)
      }
    }

    expect(checked).toBeGreaterThan(10)
  })

  it('show what the transports can do as it is now', () => {
    const words = [path.join(root, 'scripts/capability-matrix.mjs'), '--check']

    expect(execFileSync(process.execPath, words, { encoding: 'utf8' })).toContain('up to date')
  })
})

let keys = 0
function key(): string {
  return String(++keys)
}
