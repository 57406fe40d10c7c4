/**
 * One field of a crontab: lists, ranges that may wrap around, steps, names. Celery's grammar, except that
 * what it silently ignores (a tail after a range) is an error here.
 */
import { TasksError } from '../kernel/errors.ts'

/** A pattern, a number, or several of both. */
export type CrontabFieldInput = string | number | Iterable<string | number>

export interface FieldRange {
  readonly name: string
  readonly min: number
  readonly max: number
}

export const fieldRanges = {
  minute: { name: 'minute', min: 0, max: 59 },
  hour: { name: 'hour', min: 0, max: 23 },
  dayOfWeek: { name: 'dayOfWeek', min: 0, max: 6 },
  dayOfMonth: { name: 'dayOfMonth', min: 1, max: 31 },
  monthOfYear: { name: 'monthOfYear', min: 1, max: 12 },
} as const satisfies Record<string, FieldRange>

const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** The numbers a field stands for, ascending. Throws `TASKS_SCHEDULE_INVALID` saying what is wrong. */
export function parseField(input: CrontabFieldInput, range: FieldRange): readonly number[] {
  const numbers = new Set<number>()
  const parts =
    typeof input === 'string' ? input.split(',') : typeof input === 'number' ? [input] : [...input]
  for (const part of parts) {
    if (typeof part === 'number') numbers.add(inRange(part, String(part), range))
    else for (const one of parsePart(part.trim(), range)) numbers.add(one)
  }
  if (numbers.size === 0) fail('is empty', range)
  return [...numbers].sort((a, b) => a - b)
}

/** `*`, `a`, `a-b`, each range with an optional `/step`. */
function parsePart(part: string, range: FieldRange): number[] {
  if (part === '') fail('has an empty part', range)
  const [span = '', step, ...more] = part.split('/')
  const ends = span.split('-')
  if (more.length > 0 || ends.length > 2 || ends.includes('')) {
    fail(`cannot be '${part}'; expected '*', 'a', 'a-b', '*/n' or 'a-b/n'`, range)
  }
  if (step !== undefined && span !== '*' && ends.length === 1) {
    fail(`cannot be '${part}'; a step needs a range, such as '${span}-${range.max}/${step}'`, range)
  }

  const numbers = span === '*' ? all(range) : expand(ends, range)
  if (step === undefined) return numbers
  const every = Number(step)
  if (!/^\d+$/.test(step) || every < 1) fail(`cannot have the step '${step}'`, range)
  return numbers.filter((_, index) => index % every === 0)
}

function expand(ends: readonly string[], range: FieldRange): number[] {
  const from = parseNumber(ends[0]!, range)
  const to = ends[1] === undefined ? from : parseNumber(ends[1], range)
  const whole = all(range)
  return from <= to
    ? whole.filter((one) => one >= from && one <= to)
    : [...whole.filter((one) => one >= from), ...whole.filter((one) => one <= to)]
}

/** Digits, or the first three letters of a day or month, which Celery takes in every field. */
function parseNumber(text: string, range: FieldRange): number {
  if (/^\d+$/.test(text)) return inRange(Number(text), text, range)
  const word = text.slice(0, 3).toLowerCase()
  const number = days.includes(word) ? days.indexOf(word) : months.indexOf(word) + 1
  if (!/^[a-z]{3,}$/i.test(text) || (number === 0 && word !== 'sun')) {
    fail(`cannot be '${text}'`, range)
  }
  return inRange(number, text, range)
}

function inRange(number: number, text: string, range: FieldRange): number {
  if (Number.isInteger(number) && number >= range.min && number <= range.max) return number
  const hint = range.name === 'dayOfWeek' && number === 7 ? '; Sunday is 0' : ''
  return fail(`must be from ${range.min} to ${range.max}, found ${text}${hint}`, range)
}

function all(range: FieldRange): number[] {
  return Array.from({ length: range.max - range.min + 1 }, (_, index) => range.min + index)
}

function fail(what: string, range: FieldRange): never {
  throw new TasksError('TASKS_SCHEDULE_INVALID', `the ${range.name} of a crontab ${what}`)
}
