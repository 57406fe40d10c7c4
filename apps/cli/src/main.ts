/**
 * A command line → an exit code: finds the command, parses, runs, reports. Imports only what the command
 * needs, so that short commands start fast.
 */
import type { Command, Invocation } from './command.ts'
import { errorText, exitCodeOf, exitCodes, UsageError } from './errors.ts'
import { version } from './version.ts'

/** Runs one command line; never rejects. 0: done, 1: it failed, 2: the command line is wrong. */
export async function main(argv: readonly string[]): Promise<number> {
  // Before anything is loaded: what scripts and shells ask most.
  if (argv.length === 1 && argv[0] === '--version') {
    print(version())
    return exitCodes.ok
  }
  try {
    return await dispatch(argv)
  } catch (error) {
    const verbose = argv.includes('--verbose') || Boolean(process.env['DEBUG'])
    process.stderr.write(`${errorText(error, verbose)}\n`)
    return exitCodeOf(error)
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const { globalsWithValue } = await import('./flags.ts')
  const { findCommand } = await import('./find-command.ts')
  const found = await findCommand(argv, globalsWithValue)
  if (found.kind === 'help') {
    const { overview } = await import('./format/overview.ts')
    ;(found.asked ? process.stdout : process.stderr).write(overview())
    return found.asked ? exitCodes.ok : exitCodes.usage
  }
  if (found.kind === 'version') {
    print(version())
    return exitCodes.ok
  }
  const invocation = await parse(found.name, found.command, found.rest)
  return invocation === undefined ? exitCodes.ok : await found.command.run(invocation)
}

/** Undefined when help was asked for and shown. */
async function parse(
  name: string,
  command: Command,
  argv: readonly string[],
): Promise<Invocation | undefined> {
  const { Command: Parser, CommanderError } = await import('commander')
  const { addGlobals, globalsOf } = await import('./flags.ts')
  const { commands } = await import('./commands/index.ts')
  const { examplesText } = await import('./format/overview.ts')
  const parser = new Parser(`celeriac ${name}`)
    .description(commands[name]!.summary)
    .helpOption('-h, --help', 'show this help')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => void process.stdout.write(text), writeErr: () => {} })
  command.define(parser)
  addGlobals(parser)
  parser.addHelpText('after', examplesText(command.examples))
  try {
    parser.parse(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return undefined
    const text = error.message.replace(/^error: /, '').replace(/\n\((.*)\)$/s, '. $1')
    throw new UsageError(text, 'CLI_USAGE', { cause: error })
  }
  const options = parser.opts()
  if (typeof options['workdir'] === 'string') changeDirectory(options['workdir'])
  return { args: parser.args, options, globals: globalsOf(options, process.env) }
}

function changeDirectory(directory: string): void {
  try {
    process.chdir(directory)
  } catch (error) {
    throw new UsageError(`cannot change to the directory '${directory}'`, 'CLI_USAGE', {
      cause: error,
    })
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
