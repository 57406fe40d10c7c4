/**
 * Values that Python has and JavaScript has not. They come out of the json serializer and go back in
 * unchanged; each is immutable and prints as its text.
 */

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const OFFSET = String.raw`(Z|[+-]\d{2}:?\d{2}(?::?\d{2}(?:\.\d{1,6})?)?)?`
const TIME = new RegExp(String.raw`^(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?${OFFSET}$`)
const DECIMAL = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|s?nan\d*)$/i
const HEX = /^[0-9a-f]{32}$/

function refuse(text: string, what: string): never {
  throw new TypeError(`'${text}' is not ${what}`)
}

/** Milliseconds since the epoch of a calendar date; throws when there is no such day. */
function dayMs(text: string): number {
  const [, year, month, day] = DATE.exec(text) ?? refuse(text, 'a date (YYYY-MM-DD)')
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (Number(year) < 1 || date.getUTCMonth() !== Number(month) - 1)
    refuse(text, 'a date that exists')
  return date.getTime()
}

/** A time of day in numbers. */
export interface TimeParts {
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly microsecond: number
  /** Seconds east of Greenwich; undefined for a time without offset. */
  readonly offset: number | undefined
}

function offsetSeconds(text: string): number {
  if (text === 'Z') return 0
  const digits = text.slice(1).replaceAll(':', '')
  const seconds =
    Number(digits.slice(0, 2)) * 3600 +
    Number(digits.slice(2, 4)) * 60 +
    Number(digits.slice(4) || 0)
  return text.startsWith('-') ? -seconds : seconds
}

function timeParts(text: string): TimeParts {
  const found = TIME.exec(text) ?? refuse(text, 'a time (HH:MM:SS.ffffff, offset allowed)')
  const [, hour, minute, second = '0', fraction = '', offset] = found
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59)
    refuse(text, 'a time that exists')
  return {
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    microsecond: Number(fraction.padEnd(6, '0')),
    offset: offset === undefined ? undefined : offsetSeconds(offset),
  }
}

/** A day of the calendar, without time or zone: Python's `date`. */
export class LocalDate {
  readonly text: string

  /** `YYYY-MM-DD`; throws a TypeError for anything else. */
  constructor(text: string) {
    dayMs(text)
    this.text = text
  }

  get year(): number {
    return Number(this.text.slice(0, 4))
  }
  /** 1 to 12. */
  get month(): number {
    return Number(this.text.slice(5, 7))
  }
  get day(): number {
    return Number(this.text.slice(8, 10))
  }
  toString(): string {
    return this.text
  }
  toJSON(): string {
    return this.text
  }
}

/** A time of day, with or without an offset: Python's `time`. */
export class LocalTime {
  readonly text: string

  /** `HH:MM[:SS[.ffffff]]` and an optional offset; throws a TypeError for anything else. */
  constructor(text: string) {
    timeParts(text)
    this.text = text
  }

  /** Its parts as numbers. */
  parts(): TimeParts {
    return timeParts(this.text)
  }
  toString(): string {
    return this.text
  }
  toJSON(): string {
    return this.text
  }
}

/** A decimal number with all its digits: Python's `Decimal`. Calculate with a library of your choice. */
export class Decimal {
  readonly text: string

  /** Decimal text, exponent allowed, or a bigint; throws a TypeError for anything else. */
  constructor(value: string | bigint) {
    const text = String(value)
    if (!DECIMAL.test(text)) refuse(text, 'a decimal number')
    this.text = text
  }

  /** The nearest double; digits may be lost. */
  toNumber(): number {
    if (/nan/i.test(this.text)) return NaN
    if (/inf/i.test(this.text)) return this.text.startsWith('-') ? -Infinity : Infinity
    return Number(this.text)
  }
  toString(): string {
    return this.text
  }
  toJSON(): string {
    return this.text
  }
}

/** A UUID as a type of its own: Python's `UUID`. Task ids are plain texts. */
export class Uuid {
  /** 32 hexadecimal digits. */
  readonly hex: string

  /** With or without hyphens, braces or `urn:uuid:`; throws a TypeError for anything else. */
  constructor(text: string) {
    const hex = text
      .toLowerCase()
      .replace(/^urn:uuid:/, '')
      .replaceAll(/[-{}]/g, '')
    if (!HEX.test(hex)) refuse(text, 'a UUID')
    this.hex = hex
  }

  toString(): string {
    return this.hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  }
  toJSON(): string {
    return this.toString()
  }
}

/**
 * A Date read from text that says more than a Date can hold: microseconds, an offset, or none at all. It
 * is written back as it came, unless it was changed.
 */
export class ExactDate extends Date {
  readonly #text: string
  readonly #timeMs: number

  constructor(text: string, timeMs: number) {
    super(timeMs)
    this.#text = text
    this.#timeMs = timeMs
  }

  /** The text it came as; undefined once the date was changed. */
  get text(): string | undefined {
    return this.getTime() === this.#timeMs ? this.#text : undefined
  }
}

/**
 * Reads Python's isoformat (also with `Z` or a space). Without an offset it is UTC, as everywhere on
 * this wire. Throws a TypeError for anything else.
 */
export function parseDateTime(text: string): Date {
  const day = dayMs(text.slice(0, 10))
  if (text.length === 10) return new ExactDate(text, day)
  if (!/^[T ]$/.test(text.charAt(10))) refuse(text, 'an ISO 8601 date and time')
  const { hour, minute, second, microsecond, offset } = timeParts(text.slice(11))
  const inDay = ((hour * 60 + minute) * 60 + second) * 1000 + Math.floor(microsecond / 1000)
  const timeMs = day + inDay - (offset ?? 0) * 1000
  const date = new Date(timeMs)
  return formatDateTime(date) === text ? date : new ExactDate(text, timeMs)
}

/** Python's isoformat in UTC: microseconds only when there are any. Throws a TypeError when Python cannot read it. */
export function formatDateTime(date: Date): string {
  if (date instanceof ExactDate && date.text !== undefined) return date.text
  const year = date.getUTCFullYear()
  if (!(year >= 1 && year <= 9999)) throw new TypeError('a date must be within years 1 to 9999')
  return date.toISOString().replace('.000Z', '+00:00').replace('Z', '000+00:00')
}
