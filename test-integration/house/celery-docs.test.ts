// The table of Celery's names is held against Celery's side, an inventory that lies beside this repository, and
// against ours: what it names exists, and what does not exist has its reason.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import * as messaging from '@celeriac/messaging'
import { Celeriac } from '@celeriac/tasks'
import { backends } from '@celeriac/tasks/internal'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { describeUnless } from '../services/brokers.ts'

const root = path.resolve(import.meta.dirname, '../..')
const text = fs.readFileSync(path.join(root, 'docs/celery.md'), 'utf8')
const inventory = path.resolve(root, '../shared/design/inventory.md')
/** Where packages are found as in a user's project. */
const folder = path.join(root, 'node_modules', '.cache', `celery-docs-${String(process.pid)}`)

/** Sections of the inventory whose tables name things, and those whose sentences do. */
const inTables = '2.1 2.2 2.3 2.4 2.5 2.7 2.8 3.1 3.2 8.2 9.1 9.3'.split(' ')
const inSentences = '2.1 2.2 2.3 2.5 2.6 2.8 2.9 2.10 2.11 2.12 3.2 3.6 3.7 8.1 9.2 9.3'.split(' ')

const spansOf = (given: string): string[] =>
  [...given.matchAll(/`([^`]+)`/g)].map(([, span]) => span!)

/** The names in a piece of code: without arguments, values and what stands for a value. */
function namesIn(span: string): string[] {
  const plain = span.replaceAll(/\(.*?\)|\(.*$|=.*$|\[.*?\]|<.*?>/g, '')
  return plain.split(/[\s,/|]+/).filter((one) => /^[A-Za-z_][\w.-]+$/.test(one))
}

/** Names in the first column; where nothing is named there, of the whole row. */
function namesOfRow(line: string): string[] {
  const first = line.split('|')[1] ?? ''
  const spans = spansOf(first).flatMap(namesIn)
  if (spans.length > 0) return spans
  const plain = first.match(/[a-z]+(?:_[a-z]+)+/g)
  return plain ?? spansOf(line).flatMap(namesIn)
}

function celeryNames(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  let section = ''
  for (const line of fs.readFileSync(inventory, 'utf8').split('\n')) {
    section = /^#{2,3} (\d+(?:\.\d+)?)\.? /.exec(line)?.[1] ?? section
    const isRow = line.startsWith('|')
    const names =
      isRow && inTables.includes(section)
        ? namesOfRow(line)
        : !isRow && inSentences.includes(section)
          ? spansOf(line).flatMap(namesIn)
          : []
    found.set(section, [...(found.get(section) ?? []), ...names])
  }
  return found
}

interface Row {
  readonly line: string
  readonly header: string
  readonly here: string
  readonly remarks: string
}

/** Rows of the tables whose second column is named `here…`. */
function rowsOf(document: string): Row[] {
  const rows: Row[] = []
  let header: string | undefined
  for (const line of document.split('\n')) {
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
    if (cells.length < 4) header = undefined
    else if (cells[2]!.startsWith('here')) header = cells[2]!
    else if (header !== undefined && !/^[-: ]+$/.test(cells[2]!))
      rows.push({ line, header, here: cells[2]!, remarks: cells[3]! })
  }
  return rows
}

const rows = rowsOf(text)
const spansUnder = (header: string): string[] =>
  rows.filter((row) => row.header === header).flatMap(({ here }) => spansOf(here))

/** What the words at the beginning of a name stand for. */
const subjects: Readonly<Record<string, string>> = {
  app: 'Tasks.Celeriac',
  task: "Tasks.Task<'t', (x: number) => number>",
  signature: 'Tasks.AnySent',
  result: 'Tasks.AsyncResult',
  worker: 'Tasks.Worker',
  backend: "Awaited<ReturnType<Tasks.Celeriac['backend']>>",
  counting: 'ReturnType<typeof Testing.counting>',
  services: "Awaited<ReturnType<Tasks.Celeriac['setup']>>",
  this: 'Tasks.TaskContext',
  request: 'Tasks.TaskRequest',
}

/** Types with parameters, whose arguments do not matter here. */
const generic: Readonly<Record<string, string>> = {
  ChainSignature: 'ChainSignature<[], number>',
  ChordSignature: 'ChordSignature<[], number>',
  GroupSignature: 'GroupSignature<[], [number]>',
  SharedTask: "SharedTask<'t', (x: number) => number>",
  Task: "Task<'t', (x: number) => number>",
}

/** `TaskOptions.queue`, `app.send()` or `chain` as a type that exists when the name does. */
function typeOf(span: string): string {
  if (span.startsWith('TASKS_')) return `Code<'${span}'>`
  const [first = '', ...members] = span.replaceAll(/\(.*?\)/g, '').split('.')
  const base =
    members.length > 0 && subjects[first] !== undefined
      ? subjects[first]
      : /^[A-Z]/.test(first)
        ? `Tasks.${generic[first] ?? first}`
        : `(typeof Tasks.${first})`
  return `${base}${members.map((member) => `[${JSON.stringify(member)}]`).join('')}`
}

function compile(file: string, code: string): string {
  fs.writeFileSync(path.join(folder, file), code)
  const tsconfig = {
    extends: path.join(root, 'tsconfig.base.json'),
    compilerOptions: { noEmit: true, skipLibCheck: true },
    files: [file],
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

const missing = fs.existsSync(inventory)
  ? undefined
  : 'the inventory of Celery is missing: shared/design/inventory.md beside this repository'

describeUnless(missing, 'the names of Celery', () => {
  const spans = spansOf(text)
  const isNamed = (name: string): boolean => {
    const whole = new RegExp(`(?<![\\w.])${name.replaceAll('.', '\\.')}(?![\\w])`)
    return spans.some((span) => whole.test(span))
  }

  it('are found in the inventory', () => {
    const names = celeryNames()

    for (const section of [...inTables, ...inSentences])
      expect([section, names.get(section)?.length ?? 0]).not.toEqual([section, 0])
  })

  it('all stand in docs/celery.md', () => {
    const unnamed = [...celeryNames()].flatMap(([section, names]) =>
      [...new Set(names)].filter((name) => !isNamed(name)).map((name) => `${section} ${name}`),
    )

    expect(unnamed).toEqual([])
  })
})

describe('the names of ours in docs/celery.md', () => {
  it('exist in the package', () => {
    const spans = spansUnder('here')
    const lines = spans.map(
      (span, i) => `export type Claim${String(i)} = ${typeOf(span)} // ${span}`,
    )
    const head = [
      "import type * as Tasks from '@celeriac/tasks'",
      "import type * as Testing from '@celeriac/tasks/testing'",
      'type Code<C extends Tasks.TasksCode> = C',
    ]

    expect(spans.length).toBeGreaterThan(300)
    expect(compile('names.ts', [...head, ...lines].join('\n'))).toBe('')
  }, 60_000)

  it('are backends on the shelf, and name all of those', () => {
    const known = Object.keys(backends)
    const claimed = spansUnder('here (URLs)').map((url) => url.replace('://', ''))

    expect(claimed.length).toBeGreaterThan(15)
    expect(claimed.filter((one) => !known.includes(one))).toEqual([])
    // Shorter spellings of the same.
    expect(known.filter((one) => !claimed.includes(one))).toEqual(['db+postgres', 'postgres'])
  })

  it('are tasks that every app has', () => {
    const { names } = new Celeriac('docs', { broker: 'memory://celery-docs' }).registry

    expect(spansUnder('here (tasks)').toSorted()).toEqual(names)
  })

  it('are states', () => {
    const states = fs.readFileSync(path.join(root, 'packages/tasks/src/kernel/states.ts'), 'utf8')
    const [, list = ''] = /taskStates = \[(.*?)\]/s.exec(states) ?? []

    expect(spansUnder('here (states)')).toEqual(list.match(/\w+/g))
  })

  it('are names of messaging', () => {
    const known = [...Object.keys(messaging), ...Object.keys(messaging.serializers)]

    expect(spansUnder('here (messaging)').length).toBeGreaterThan(3)
    expect(spansUnder('here (messaging)').filter((one) => !known.includes(one))).toEqual([])
  })

  it('or there is a reason why there is none', () => {
    const bare = rows.filter(({ here, remarks }) =>
      spansOf(here).length > 0 ? false : here !== 'not here' || remarks.length < 5,
    )

    expect(rows.length).toBeGreaterThan(200)
    expect(bare.map(({ line }) => line)).toEqual([])
  })
})
