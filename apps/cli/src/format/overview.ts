/** Help texts that are ours: the list of commands, and the examples of one. */
import { commands } from '../commands/index.ts'
import { columns } from './table.ts'

const examples = [
  ['celeriac -A ./tasks.ts worker -l info', 'run the tasks of an app'],
  ["celeriac -A ./tasks.ts call tasks.add --args '[2, 3]' --wait", 'send one and print its result'],
  ['celeriac worker --help', 'everything about one command'],
] as const

/** What `celeriac --help` prints. */
export function overview(): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => [`  ${name}`, summary])
  return `Usage: celeriac [-A module] [options] <command>

A distributed task queue.

Commands:
${columns(rows)}

Global options, before or after the command: -A, -b, --result-backend, --config, --workdir,
-C, -q, --verbose, --version; \`celeriac <command> --help\` explains them.
${examplesText(examples)}`
}

export function examplesText(rows: readonly (readonly [string, string])[]): string {
  return `\nExamples:\n${columns(rows.map(([line, what]) => [`  ${line}`, what]))}\n`
}
