// Runs the built command as a child process and watches what it writes.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export const bin = path.resolve(import.meta.dirname, '../../apps/cli/bin/celeriac.js')
export const appFile = path.resolve(import.meta.dirname, 'app.ts')

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

const cleanups: (() => void)[] = []

/** A command that runs. `cleanUp` ends what is left. */
export class Run {
  stdout = ''
  stderr = ''
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #watchers = new Set<() => void>()

  constructor(args: readonly string[], { cwd = folder(), env = {} }: RunOptions = {}) {
    this.#child = spawn(process.execPath, [bin, ...args], {
      cwd,
      env: { ...outerEnvironment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const collect = (name: 'stdout' | 'stderr') => (chunk: Buffer) => {
      this[name] += chunk.toString()
      for (const look of this.#watchers) look()
    }
    this.#child.stdout!.on('data', collect('stdout'))
    this.#child.stderr!.on('data', collect('stderr'))
    this.exited = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve({ code, signal }))
    })
    cleanups.push(() => this.#child.kill('SIGKILL'))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get output(): string {
    return this.stdout + this.stderr
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Resolves when the output matches; rejects with all of it when the command ends before. */
  async until(pattern: RegExp): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      const look = (): void => {
        if (!pattern.test(this.output)) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
    const ended = this.exited.then(({ code }) => {
      if (pattern.test(this.output)) return
      throw new Error(`ended with ${code} before ${pattern} was seen:\n${this.output}`)
    })
    await Promise.race([seen, ended])
  }

  async stop(): Promise<Exit> {
    this.signal('SIGTERM')
    return await this.exited
  }
}

/** Runs a command to its end. */
export async function celeriac(
  args: readonly string[],
  options?: RunOptions,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const run = new Run(args, options)
  const { code } = await run.exited
  return { code, stdout: run.stdout, stderr: run.stderr }
}

/** A worker of the tried app that is ready for tasks. */
export async function startWorker(args: readonly string[], options: RunOptions): Promise<Run> {
  const run = new Run(['-A', appFile, 'worker', '-l', 'info', ...args], options)
  await run.until(/ ready\./)
  return run
}

/** A folder of one's own; what is written there is removed by `cleanUp`. */
export function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'celeriac-cli-'))
  cleanups.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** Ends every command and removes every folder of this test. */
export function cleanUp(): void {
  for (const clean of cleanups.splice(0)) clean()
}

/** Without the settings of the shell that runs the tests. */
function outerEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(CELER|BROKER_|RESULT_BACKEND|NO_COLOR|DEBUG$|NODE_OPTIONS$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
}
