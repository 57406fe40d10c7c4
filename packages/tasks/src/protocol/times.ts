/**
 * Times as the wire has them: ISO 8601 text as Python writes it. Inside, a time is a number of epoch
 * milliseconds whose fraction holds the microseconds. Pure: now is an argument.
 */
import { TasksError } from '../kernel/errors.ts'

/** The years 1 to 9999: what Python's datetime can hold. */
const firstMs = -62_135_596_800_000
const endMs = 253_402_300_800_000

/**
 * Epoch milliseconds of an ISO 8601 text, or undefined when it is none. Accepts what Python peers accept:
 * `Z` or any offset, fractions of a second, `T` or a space, basic and extended form, a date alone. A
 * time without offset is UTC. Digits beyond microseconds are cut off.
 */
export function parseIso(text: string): number | undefined {
  const extended = text.charCodeAt(4) === dash
  const year = digits(text, 0, 4)
  const month = digits(text, extended ? 5 : 4, 2)
  const day = digits(text, extended ? 8 : 6, 2)
  if (extended && text.charCodeAt(7) !== dash) return undefined
  // NaN fails every comparison, so one test per field covers "not a number" too.
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) {
    return undefined
  }
  let at = extended ? 10 : 8
  const dateMs = utcMs(year, month, day)
  if (at === text.length) return dateMs
  const separator = text.charCodeAt(at)
  if (separator !== upperT && separator !== lowerT && separator !== space) return undefined

  const clock = parseClock(text, at + 1)
  if (clock === undefined) return undefined
  at = clock.end
  if (at === text.length) return dateMs + clock.ms
  const sign = text.charCodeAt(at)
  if (sign === upperZ || sign === lowerZ) {
    return at + 1 === text.length ? dateMs + clock.ms : undefined
  }
  if (sign !== plus && sign !== dash) return undefined
  const offset = parseClock(text, at + 1)
  if (offset === undefined || offset.end !== text.length || offset.ms >= 86_400_000)
    return undefined
  return dateMs + clock.ms + (sign === plus ? -offset.ms : offset.ms)
}

const dash = 45
const plus = 43
const colon = 58
const dot = 46
const comma = 44
const space = 32
const upperT = 84
const lowerT = 116
const upperZ = 90
const lowerZ = 122

/** `count` decimal digits as a number; NaN when there is anything else. */
function digits(text: string, from: number, count: number): number {
  let value = 0
  for (let at = from; at < from + count; at += 1) {
    const digit = text.charCodeAt(at) - 48
    if (!(digit >= 0 && digit <= 9)) return NaN
    value = value * 10 + digit
  }
  return value
}

/** `HH`, `HH:MM`, `HH:MM:SS`, `HH:MM:SS.ffffff` or the same without colons, from `start` on. */
function parseClock(text: string, start: number): { ms: number; end: number } | undefined {
  const hours = digits(text, start, 2)
  if (!(hours <= 24)) return undefined
  let at = start + 2
  let ms = hours * 3_600_000
  const colons = text.charCodeAt(at) === colon
  for (const unitMs of [60_000, 1000]) {
    const next = text.charCodeAt(at)
    if (colons ? next !== colon : !(next >= 48 && next <= 57)) break
    const value = digits(text, colons ? at + 1 : at, 2)
    if (!(value <= 59)) return undefined
    ms += value * unitMs
    at += colons ? 3 : 2
    if (unitMs !== 1000) continue
    const mark = text.charCodeAt(at)
    if (mark !== dot && mark !== comma) continue
    const fraction = parseMicroseconds(text, at + 1)
    if (fraction === undefined) return undefined
    ms += fraction.micros / 1000
    at = fraction.end
  }
  // 24:00 is the end of a day; 24:01 is nothing.
  if (hours === 24 && ms !== 86_400_000) return undefined
  return { ms, end: at }
}

function parseMicroseconds(
  text: string,
  start: number,
): { micros: number; end: number } | undefined {
  let at = start
  let micros = 0
  for (; ; at += 1) {
    const digit = text.charCodeAt(at) - 48
    if (!(digit >= 0 && digit <= 9)) break
    if (at < start + 6) micros = micros * 10 + digit
  }
  if (at === start) return undefined
  for (let missing = start + 6 - at; missing > 0; missing -= 1) micros *= 10
  return { micros, end: at }
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function utcMs(year: number, month: number, day: number): number {
  // Date.UTC takes years below 100 for years after 1900; the calendar repeats every 400 years.
  if (year >= 100) return Date.UTC(year, month - 1, day)
  return Date.UTC(year + 400, month - 1, day) - 12_622_780_800_000
}

/**
 * Epoch milliseconds as Python's `isoformat()` in UTC: microseconds only when they are not zero. Throws
 * `TASKS_ARGUMENTS_INVALID` for what is no time.
 */
export function formatIso(epochMs: number): string {
  if (!(epochMs >= firstMs && epochMs < endMs)) throw notATime('time', epochMs)
  const micros = Math.round(epochMs * 1000)
  const wholeMs = Math.floor(micros / 1000)
  const text = new Date(wholeMs).toISOString()
  const microsOfMs = micros - wholeMs * 1000
  if (microsOfMs === 0 && wholeMs % 1000 === 0) return text.slice(0, -5) + '+00:00'
  return text.slice(0, -1) + String(microsOfMs).padStart(3, '0') + '+00:00'
}

export interface StartTime {
  /** Seconds from now. */
  readonly countdown?: number | undefined
  readonly eta?: Date | string | undefined
}

/**
 * The text of the `eta` header. Text passes through as it is; a countdown of 0 means no eta; `countdown`
 * wins over `eta`. Throws `TASKS_ARGUMENTS_INVALID` for what is no time.
 */
export function etaText(options: StartTime, nowMs: number): string | undefined {
  const { countdown, eta } = options
  if (countdown !== undefined && countdown !== 0) {
    return formatIso(nowMs + secondsIn(countdown, 'countdown') * 1000)
  }
  if (eta === undefined || eta === '') return undefined
  return absoluteText(eta, 'eta')
}

/** The text of the `expires` header: seconds from now, a date, or text as it is. Throws like `etaText`. */
export function expiresText(
  expires: number | Date | string | undefined,
  nowMs: number,
): string | undefined {
  // An empty text in this header stops a Python worker.
  if (expires === undefined || expires === '') return undefined
  if (typeof expires !== 'number') return absoluteText(expires, 'expires')
  return formatIso(nowMs + secondsIn(expires, 'expires') * 1000)
}

/** What is left until an `expires` text, in whole milliseconds, never below 0; undefined when it is no time. */
export function expirationMs(expires: string, nowMs: number): number | undefined {
  const untilMs = parseIso(expires)
  if (untilMs === undefined) return undefined
  // To whole microseconds first: 60 s from now must not come out as 59999 ms.
  const leftMicros = Math.round((untilMs - nowMs) * 1000)
  return Math.max(0, Math.floor(leftMicros / 1000))
}

function secondsIn(value: number, name: string): number {
  if (!Number.isFinite(value)) throw notATime(name, value)
  return value
}

function absoluteText(time: Date | string, name: string): string {
  if (typeof time === 'string') {
    if (parseIso(time) === undefined) throw notATime(name, time)
    return time
  }
  if (!(time instanceof Date) || Number.isNaN(time.getTime())) throw notATime(name, time)
  return formatIso(time.getTime())
}

function notATime(name: string, found: unknown): TasksError {
  return new TasksError(
    'TASKS_ARGUMENTS_INVALID',
    `${name} must be seconds, a valid date or ISO 8601 text, not ${String(found)}`,
  )
}
