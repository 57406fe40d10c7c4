/**
 * Options of the command line. Those that are settings take their texts, their checks and their meaning from
 * the table of settings.
 */
import { InvalidArgumentError, Option, type Command as Parser } from 'commander'
import type { Settings } from '@celeriac/tasks'
import { options as settings, type OptionName } from '@celeriac/tasks/internal'
import type { Globals } from './command.ts'
import { UsageError } from './errors.ts'

/** Setting → its flags, as commander writes them. */
export type SettingFlags = Readonly<Partial<Record<OptionName, string>>>

const globalSettings = {
  brokerUrl: '-b, --broker <url>',
  resultBackend: '--result-backend <url>',
} as const satisfies SettingFlags

/** Global options that take a value: what follows them is not the command. */
export const globalsWithValue: ReadonlySet<string> = new Set([
  '-A',
  '--app',
  '-b',
  '--broker',
  '--result-backend',
  '--config',
  '--workdir',
])

/** One flag that is a setting; the value is what the setting would be given, checked already. */
export function settingOption(name: OptionName, flags: string): Option {
  const { parser, doc } = settings[name]
  return new Option(flags, helpText(doc)).argParser((text) => {
    const raw = parser.fromText(text)
    try {
      parser.parse(raw)
    } catch (error) {
      throw new InvalidArgumentError(`Expected ${(error as Error).message}.`)
    }
    return raw
  })
}

/** A sentence of the table in the style of the other help texts. */
function helpText(doc: string): string {
  return doc.replace(/\.$/, '').replace(/^[A-Z](?=[a-z])/, (first) => first.toLowerCase())
}

export function addSettings(parser: Parser, flags: SettingFlags): void {
  for (const [name, text] of Object.entries(flags)) {
    parser.addOption(settingOption(name as OptionName, text))
  }
}

/** The settings among parsed options; those that were not given are absent. */
export function settingsOf(
  flags: SettingFlags,
  options: Readonly<Record<string, unknown>>,
): Settings {
  return Object.fromEntries(
    Object.entries(flags).flatMap(([name, text]) => {
      const value = options[new Option(text).attributeName()]
      return value === undefined ? [] : [[name, value]]
    }),
  ) as Settings
}

export function addGlobals(parser: Parser): void {
  parser
    .optionsGroup('Global options:')
    .option(
      '-A, --app <module>',
      'the app: a file or dotted name, `:export` after it (env CELERY_APP)',
    )
    .option(
      '--config <file>',
      'file of settings; default celeryconfig.{ts,js,json} when there is one',
    )
    .option('--workdir <directory>', 'change to this directory first')
    .option('-C, --no-color', 'no colours (env NO_COLOR)')
    .option('-q, --quiet', 'only what was asked for, and errors')
    .option('--verbose', 'errors with their stack (env DEBUG)')
  addSettings(parser, globalSettings)
}

export function globalsOf(
  options: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Globals {
  return {
    app: (options['app'] as string | undefined) ?? (env['CELERY_APP'] || undefined),
    config: options['config'] as string | undefined,
    settings: settingsOf(globalSettings, options),
    color: options['color'] === true && !env['NO_COLOR'],
    quiet: options['quiet'] === true,
    verbose: options['verbose'] === true || Boolean(env['DEBUG']),
  }
}

/** `a,b` → `['a', 'b']`; may be repeated. */
export function commaList(text: string, before: readonly string[] = []): readonly string[] {
  const names = text.split(',').map((one) => one.trim())
  return [...before, ...names.filter((one) => one !== '')]
}

/** A number of seconds, 0 or more. */
export function secondsArgument(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text)
  if (!Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('Expected a number of seconds, 0 or more.')
  }
  return value
}

/** Options Celery has and nothing here would obey: refused by name, never ignored. */
export function addRefused(parser: Parser, flags: readonly string[]): void {
  for (const text of flags) {
    const option = new Option(text).hideHelp()
    const refuse = (): never => {
      throw new UsageError(
        `the option ${text.replace(/ [<[].*$/, '')} is not supported yet`,
        'CLI_NOT_SUPPORTED',
      )
    }
    parser.addOption(option)
    parser.on(`option:${option.name()}`, refuse)
  }
}
