/**
 * TypeScript modules → JavaScript files beside the project, made by a short-lived process. No loader stays
 * behind: a worker and its children run plain JavaScript, and are as small as with a plain app.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { importFile, type ModuleImporter } from '@celeriac/tasks/internal'
import { CompileError } from '../errors.ts'

const compiler = fileURLToPath(new URL('./compiler.js', import.meta.url))
const isTypeScript = /\.[cm]?tsx?$/
const deadlineMs = 60_000

/** What was compiled so far: source file → URL of the result. Children get it as it is. */
export class Compiled {
  readonly files: Record<string, string> = {}

  /** Imports a file; one in TypeScript is compiled first, with everything it imports. */
  readonly importModule: ModuleImporter = async (file) => {
    if (!isTypeScript.test(file)) return await importFile(file)
    if (this.files[file] === undefined) Object.assign(this.files, await compile(file))
    return (await import(this.files[file] ?? pathToFileURL(file).href)) as Record<string, unknown>
  }
}

/** Throws `CLI_COMPILE` with the place of what is wrong. */
async function compile(file: string): Promise<Readonly<Record<string, string>>> {
  // Traces show the lines of the source.
  process.setSourceMapsEnabled(true)
  const child = spawn(process.execPath, [compiler, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
  })
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8')
    child[name].on('data', (text: string) => (texts[name] += text))
  }
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0) return JSON.parse(texts.stdout) as Record<string, string>
  const why = texts.stderr.trim() || `the compiler ended with ${String(code)}`
  throw new CompileError(`${file} cannot be compiled: ${why}`)
}
