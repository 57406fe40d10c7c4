/** What a command is: options it adds to the parser, and what it does with them. */
import type { Command as Parser } from 'commander'
import type { Settings } from '@celeriac/tasks'

/** Stable names of what can be wrong with a command line. */
export type CliCode =
  | 'CLI_USAGE'
  | 'CLI_COMPILE'
  | 'CLI_UNKNOWN_COMMAND'
  | 'CLI_NOT_SUPPORTED'
  | 'CLI_POOL_UNKNOWN'
  | 'CLI_NO_APP'
  | 'CLI_NO_RESULTS'
  | 'CLI_PIDFILE_EXISTS'
  | 'CLI_STUCK'

/** Options that every command takes, before or after its name. */
export interface Globals {
  /** `module` or `module:export`. */
  readonly app: string | undefined
  /** File of settings. */
  readonly config: string | undefined
  /** Settings given by global options: the broker, the result backend. */
  readonly settings: Settings
  readonly color: boolean
  readonly quiet: boolean
  readonly verbose: boolean
}

export interface Invocation {
  readonly args: readonly string[]
  /** By commander's names: `--max-interval` is `maxInterval`. */
  readonly options: Readonly<Record<string, unknown>>
  readonly globals: Globals
}

export interface Command {
  /** Lines `command line   what it does`, shown with `--help`. */
  readonly examples: readonly (readonly [line: string, what: string])[]
  /** Adds arguments and options; nothing else happens here. */
  define(parser: Parser): void
  /** Resolves with the exit code; throws what is to be reported. */
  run(invocation: Invocation): Promise<number>
}

/** A row of the table of commands: enough for `celeriac --help`, without loading the command. */
export interface CommandEntry {
  readonly summary: string
  load(): Promise<Command>
}
