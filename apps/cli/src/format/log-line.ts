/** One record of the log → the lines that are written. Pure. */
import { censor, maskUrls, type Level, type LogRecord } from '@celeriac/tasks/internal'
import type { Colours } from './colour.ts'

/** As Python's logging calls them. */
const levelNames: Readonly<Record<Level, string>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
}

/** Of Python's kind; `task` is for lines that a task has written. */
export interface LogFormats {
  readonly line: string
  readonly task: string
}

/**
 * Formats know `%(asctime)s`, `%(levelname)s`, `%(processName)s`, `%(process)d`, `%(name)s`, `%(message)s`,
 * and those of tasks `%(task_name)s`, `%(task_id)s`. Passwords in URLs and secret fields are masked.
 */
export function logLine(
  record: LogRecord,
  formats: LogFormats,
  colours: Colours,
  processName = 'MainProcess',
): string {
  const { task, id, ...others } = record.fields
  const isOfTask = typeof task === 'string' && typeof id === 'string'
  const values: Readonly<Record<string, string>> = {
    asctime: timeText(record.timeMs),
    levelname: levelNames[record.level],
    processName,
    process: String(process.pid),
    name: 'celeriac',
    message: messageText(record.message, isOfTask ? others : record.fields),
    ...(isOfTask && { task_name: task, task_id: id }),
  }
  const format = isOfTask ? formats.task : formats.line
  const line = format.replaceAll(
    /%\((\w+)\)-?\d*[sd]/g,
    (whole, name: string) => values[name] ?? whole,
  )
  switch (record.level) {
    case 'error':
      return colours.red(line)
    case 'warn':
      return colours.yellow(line)
    case 'debug':
      return colours.dim(line)
    case 'info':
      return line
  }
}

function messageText(message: string, fields: LogRecord['fields']): string {
  const shown = Object.entries(censor(fields) as Record<string, unknown>).map(
    ([name, value]) => `${name}: ${typeof value === 'string' ? value : valueText(value)}`,
  )
  return maskUrls(message) + (shown.length > 0 ? ` (${shown.join(', ')})` : '')
}

function valueText(value: unknown): string {
  if (value instanceof Error) return maskUrls(value.message)
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return '…'
  }
}

/** Local time, `2026-11-20 10:00:00,123`. */
function timeText(timeMs: number): string {
  const time = new Date(timeMs)
  const two = (value: number): string => String(value).padStart(2, '0')
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')
  return `${date} ${clock},${String(time.getMilliseconds()).padStart(3, '0')}`
}
