/** Finds the command's name among the global options that may stand before it. */
import { didYouMean } from '@celeriac/tasks/internal'
import type { Command } from './command.ts'
import { commands, missingCommands } from './commands/index.ts'
import { UsageError } from './errors.ts'

export type Found =
  | {
      readonly kind: 'command'
      readonly name: string
      readonly command: Command
      readonly rest: readonly string[]
    }
  | { readonly kind: 'help'; readonly asked: boolean }
  | { readonly kind: 'version' }

/** `rest` is the command line without the name: global options may stand on either side of it. */
export async function findCommand(
  argv: readonly string[],
  withValue: ReadonlySet<string>,
): Promise<Found> {
  const at = commandIndex(argv, withValue)
  if (at < 0) {
    if (argv.includes('--version')) return { kind: 'version' }
    return { kind: 'help', asked: argv.some((one) => one === '-h' || one === '--help') }
  }
  const rest = argv.toSpliced(at, 1)
  const name = argv[at]!
  if (name === 'help') {
    if (commandIndex(rest, withValue) < 0) return { kind: 'help', asked: true }
    return await findCommand([...rest, '--help'], withValue)
  }
  if (Object.hasOwn(commands, name)) {
    return { kind: 'command', name, command: await commands[name]!.load(), rest }
  }
  if (missingCommands.includes(name)) {
    throw new UsageError(`the command '${name}' is not supported yet`, 'CLI_NOT_SUPPORTED')
  }
  const known = Object.keys(commands)
  throw new UsageError(
    `there is no command '${name}'.${didYouMean(name, known)} Known: ${known.join(', ')}`,
    'CLI_UNKNOWN_COMMAND',
  )
}

/** Place of the first argument that is neither an option nor the value of one; -1 for none. */
function commandIndex(argv: readonly string[], withValue: ReadonlySet<string>): number {
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!
    if (argument === '--') return -1
    if (!argument.startsWith('-')) return i
    if (withValue.has(argument)) i++
  }
  return -1
}
