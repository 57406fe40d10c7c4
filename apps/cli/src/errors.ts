/** What is said when something goes wrong, and the exit code that goes with it. */
import type { CliCode } from './command.ts'

/** The command line itself is wrong: nothing was done. */
export class UsageError extends Error {
  readonly code: CliCode

  constructor(message: string, code: CliCode = 'CLI_USAGE', options?: ErrorOptions) {
    super(message, options)
    this.name = 'UsageError'
    this.code = code
  }
}

/** A module in TypeScript is not what it should be. */
export class CompileError extends Error {
  readonly code: CliCode = 'CLI_COMPILE'

  constructor(message: string) {
    super(message)
    this.name = 'CompileError'
  }
}

export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const

/** Codes of the libraries that mean a mistake on the command line or in a setting. */
const mistakes = /^(CLI_|TASKS_CONFIG_|TASKS_APP_|TASKS_QUEUE_NOT_FOUND$|TASKS_ROUTE_INVALID$)/

/** 2 for mistakes of the command line and of settings, 1 for everything else. */
export function exitCodeOf(error: unknown): number {
  return mistakes.test(codeOf(error) ?? '') ? exitCodes.usage : exitCodes.failed
}

/** `error: text [CODE]`; with `verbose` the stack and the causes as well. */
export function errorText(error: unknown, verbose = false): string {
  const message = error instanceof Error ? error.message || error.name : String(error)
  const code = codeOf(error)
  const lines = [`error: ${message}${code === undefined ? '' : ` [${code}]`}`]
  if (verbose) {
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      lines.push(cause === error ? '' : 'caused by:', cause.stack ?? cause.message)
    }
  }
  return lines.filter((line) => line !== '').join('\n')
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
