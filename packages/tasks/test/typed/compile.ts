/** Programs for the type tests: read from the tables in programs/, compiled all at once, and what the compiler says. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const tables = join(here, 'programs')
const compiler = join(
  dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
  'bin/tsc',
)

export interface Program {
  /** The table it stands in, without `.ts`. */
  readonly topic: string
  readonly name: string
  readonly expected: 'compiles' | 'refused'
  /** The pinned first line of the first message; undefined where none is pinned yet. */
  readonly message: string | undefined
  readonly code: string
}

const heading = /^\/\/# (compiles|refused): (.+)$/
const pin = '//! '

/** The programs of a table; throws for text in front of the first heading that is no comment. */
function programsOf(topic: string, text: string): Program[] {
  const programs: Program[] = []
  let lines: string[] = []
  let head: { expected: Program['expected']; name: string; message?: string } | undefined
  const finish = (): void => {
    const code = lines.join('\n').trim()
    if (head) programs.push({ topic, message: undefined, ...head, code })
    else if (!lines.every((line) => line === '' || line.startsWith('//')))
      throw new Error(`${topic}.ts: code before the first heading`)
    lines = []
  }
  for (const line of text.split('\n')) {
    const found = heading.exec(line)
    if (found) {
      finish()
      head = { expected: found[1] as Program['expected'], name: found[2]! }
    } else if (head && line.startsWith(pin)) head.message = line.slice(pin.length)
    else lines.push(line)
  }
  finish()
  return programs
}

/** All programs, table by table. */
export function readPrograms(): Program[] {
  return readdirSync(tables)
    .filter((file) => file.endsWith('.ts'))
    .toSorted()
    .flatMap((file) => programsOf(file.slice(0, -3), readFileSync(join(tables, file), 'utf8')))
}

/** Writes the messages of now over the pinned ones. */
export function pinMessages(said: ReadonlyMap<string, string>): void {
  for (const file of readdirSync(tables)) {
    const topic = file.slice(0, -3)
    const lines: string[] = []
    for (const line of readFileSync(join(tables, file), 'utf8').split('\n')) {
      if (line.startsWith(pin)) continue
      lines.push(line)
      const [, expected, name] = heading.exec(line) ?? []
      const message = expected === 'refused' ? said.get(`${topic}: ${name}`) : undefined
      if (message !== undefined) lines.push(pin + message)
    }
    writeFileSync(join(tables, file), lines.join('\n'))
  }
}

/** Texts in quotes longer than this are cut in pinned messages. */
const longest = 160

/**
 * The one rule for long messages: what stands in quotes ends in `…` after 160 characters, and so does a list of
 * missing properties where it begins.
 */
function shortened(message: string): string {
  return message
    .replace(/(is missing the following properties from type '.*'): .*/, '$1: …')
    .replaceAll(/'(.*?)'(?=[.,;:)?\s]|$)/g, (whole, type: string) =>
      type.length <= longest ? whole : `'${type.slice(0, longest)}…'`,
    )
}

export interface Compiled {
  /** First line of the first message in each file, by its name without `.ts`; of files with messages only. */
  readonly messages: ReadonlyMap<string, string>
  /** Types the compiler had to make. */
  readonly instantiations: number
}

/** Compiles files beside the tasks of the type tests. Throws for a message in any other file. */
export function compile(files: ReadonlyMap<string, string>): Compiled {
  const directory = mkdtempSync(join(here, '.run-'))
  try {
    const config = {
      extends: '../../../../../tsconfig.base.json',
      // Programs of users may have enums.
      compilerOptions: { noEmit: true, declaration: false, erasableSyntaxOnly: false },
      include: ['*.ts'],
    }
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config))
    for (const [name, code] of files) writeFileSync(join(directory, `${name}.ts`), code)
    const { stdout, stderr, error } = spawnSync(
      process.execPath,
      [
        compiler,
        '-p',
        '.',
        '--pretty',
        'false',
        '--extendedDiagnostics',
        // What is counted must not depend on how the work is shared out.
        '--singleThreaded',
      ],
      { cwd: directory, encoding: 'utf8', timeout: 120_000, maxBuffer: 2 ** 26 },
    )
    if (error) throw error
    const counted = /^Instantiations:\s+(\d+)/m.exec(stdout)
    if (!counted) throw new Error(`the compiler did not finish: ${stdout}${stderr}`)
    const messages = new Map<string, string>()
    for (const line of stdout.split('\n')) {
      const found = /^(.+?)\((\d+),\d+\): error (TS\d+): (.*)$/.exec(line)
      if (!found) continue
      const [, file, , code, text] = found
      const name = /^([^/\\]+)\.ts$/.exec(file!)?.[1]
      if (name === undefined) throw new Error(`the tasks of the programs are wrong: ${line}`)
      if (!messages.has(name)) messages.set(name, `${code} ${shortened(text!)}`)
    }
    return { messages, instantiations: Number(counted[1]) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const prelude = [
  "import { z } from 'zod'",
  "import * as v from 'valibot'",
  "import { type as ark } from 'arktype'",
  "import * as celeriac from '../../../src/index.ts'",
  "import { Celeriac, AsyncResult, GroupResult, chain, chainOf, chord, currentTask, group, groupOf, kw, sharedTask, type AnySignature, type Kw, type SignatureOf, type TaskContext, type TaskRequest } from '../../../src/index.ts'",
  "import { app, same, task, remote, type Given, type Sent } from '../front.ts'",
  "import { add, both, bound, broken, bye, clean, failing, half, legacy, len, maybe, noted, notify, opaque, pair, ping, pow, report, same2, save, scaled, scaledMaybe, show, sum, total, train, upper } from '../tasks.ts'",
  'export {}',
].join('; ')

/** The file of a program: what the tables may use is imported in front of it, in one line. */
export function fileOf({ code }: Pick<Program, 'code'>): string {
  return `${prelude}\n${code}\n`
}
