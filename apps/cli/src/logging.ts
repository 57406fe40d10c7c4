/** Where the log of a long-running command goes, and from which level on. */
import { openSync, writeSync } from 'node:fs'
import { InvalidArgumentError, Option } from 'commander'
import {
  consoleLogger,
  didYouMean,
  makeLogger,
  type Level,
  type Logger,
} from '@celeriac/tasks/internal'
import type { Config } from '@celeriac/tasks'
import type { Globals } from './command.ts'
import { UsageError } from './errors.ts'
import { colours } from './format/colour.ts'
import { logLine, type LogFormats } from './format/log-line.ts'

/** Celery's names of levels; the highest ones are all errors here. */
const levels: Readonly<Record<string, Level>> = {
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  warn: 'warn',
  error: 'error',
  critical: 'error',
  fatal: 'error',
}

export function levelArgument(text: string): Level {
  const level = levels[text.toLowerCase()]
  if (level !== undefined) return level
  const known = Object.keys(levels)
  throw new InvalidArgumentError(
    `${didYouMean(text, known).trim()} Known: ${known.join(', ')}.`.trim(),
  )
}

export function levelOption(): Option {
  return new Option('-l, --loglevel <level>', 'debug, info, warning or error')
    .argParser(levelArgument)
    .default('warn', 'warning')
}

export interface LogOptions {
  readonly level: Level
  readonly formats: LogFormats
  /** Undefined for standard error. */
  readonly file: string | undefined
  readonly color: boolean
  /** Stands for `%(processName)s`. */
  readonly process: string
}

/** A logger that writes each line at once, so that none is missing after a crash. */
export function openLog(options: LogOptions): Logger {
  const { level, formats, file, color, process } = options
  const style = colours(color)
  const write = writerTo(file)
  return makeLogger((record) => write(`${logLine(record, formats, style, process)}\n`), level)
}

function writerTo(file: string | undefined): (text: string) => void {
  if (file === undefined) return (text) => void process.stderr.write(text)
  try {
    const descriptor = openSync(file, 'a')
    return (text) => void writeSync(descriptor, text)
  } catch (error) {
    throw new UsageError(`cannot write the log: ${(error as Error).message}`, 'CLI_USAGE', {
      cause: error,
    })
  }
}

/**
 * The logger to use with an app: its own where it was given one, else `log`, also for what the app's tasks
 * and connections write.
 */
export function useLog(own: Logger, log: Logger): Logger {
  if (own !== consoleLogger) return own
  // The app was made by its own module and has handed this very object to all its parts already.
  Object.assign(consoleLogger, log)
  return log
}

/** The options of a command's log, from its arguments and settings; `file` has its signs expanded. */
export function logOptions(
  level: Level,
  file: string | undefined,
  { workerLogFormat, workerTaskLogFormat, workerLogColor }: LogSettings,
  globals: Pick<Globals, 'color'>,
): LogOptions {
  return {
    level,
    formats: { line: workerLogFormat, task: workerTaskLogFormat },
    file,
    color: globals.color && (workerLogColor ?? (file === undefined && process.stderr.isTTY)),
    process: 'MainProcess',
  }
}

type LogSettings = Pick<Config, 'workerLogFormat' | 'workerTaskLogFormat' | 'workerLogColor'>
