/** A structured logger of one method and its levels; the only place of this package that prints. */

export type Level = 'debug' | 'info' | 'warn' | 'error'
export type Fields = Readonly<Record<string, unknown>>

export interface Logger {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** False when such a line would go nowhere, so that costly ones are not made. */
  isEnabled(level: Level): boolean
  /** The same logger with these fields on every line. */
  with(fields: Fields): Logger
}

export interface LogRecord {
  readonly level: Level
  readonly message: string
  readonly fields: Fields
  readonly timeMs: number
}

const ranks: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

/** A logger that hands every record at or above `least` to `sink`. */
export function makeLogger(
  sink: (record: LogRecord) => void,
  least: Level = 'info',
  base: Fields = {},
): Logger {
  const at =
    (level: Level) =>
    (message: string, fields?: Fields): void => {
      if (ranks[level] < ranks[least]) return
      sink({ level, message, fields: fields ? { ...base, ...fields } : base, timeMs: Date.now() })
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    isEnabled: (level) => ranks[level] >= ranks[least],
    with: (fields) => makeLogger(sink, least, { ...base, ...fields }),
  }
}

/** Warnings and errors to standard error, one line each. */
export const consoleLogger: Logger = makeLogger(({ level, message, fields }) => {
  const tail = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : ''
  process.stderr.write(`[celeriac] ${level}: ${message}${tail}\n`)
}, 'warn')

/** Says nothing. */
export const silentLogger: Logger = makeLogger(() => undefined, 'error')
