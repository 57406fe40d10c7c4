/**
 * What plain YAML words mean to PyYAML, where js-yaml's YAML 1.1 means something else or loses digits:
 * integers of any length, `y` that is a text, dates apart from times, microseconds, and the lone `=`.
 */
import type * as Driver from 'js-yaml'
import { formatDateTime, LocalDate, parseDateTime } from '../json-values.ts'

const INTEGER =
  /^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)$/
const TIMESTAMP =
  /^(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(Z|([-+])(\d\d?)(?::(\d\d))?))?)?$/
const BOOL = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/
const TRUE = /^(?:yes|true|on)$/i

/** Python refuses longer ones too: reading one takes time that grows with the square. */
const mostDigits = 4300

/** The schema for both ways: what reads as PyYAML reads also knows which texts need quotes. */
export function makeSchema(driver: typeof Driver): Driver.Schema {
  const { defineScalarTag } = driver
  const integer = defineScalarTag<number | bigint>('tag:yaml.org,2002:int', {
    implicit: true,
    implicitFirstChars: '-+0123456789'.split(''),
    resolve: (text) => (INTEGER.test(text) ? integerOf(text) : driver.NOT_RESOLVED),
    identify: (value) =>
      typeof value === 'bigint' || (Number.isSafeInteger(value) && !Object.is(value, -0)),
    represent: (value: number | bigint) => value.toString(),
  })
  const timestamp = defineScalarTag<Date | LocalDate>('tag:yaml.org,2002:timestamp', {
    implicit: true,
    implicitFirstChars: '0123456789'.split(''),
    resolve: (text) => {
      const found = TIMESTAMP.exec(text)
      // One digit for the month is allowed before a time only.
      if (!found || (found[4] === undefined && text.length !== 10)) return driver.NOT_RESOLVED
      return timestampOf(found)
    },
    identify: (value) => value instanceof Date || value instanceof LocalDate,
    represent: (value: Date | LocalDate) =>
      value instanceof LocalDate ? value.text : textOf(value),
  })
  const float = defineScalarTag<number>('tag:yaml.org,2002:float', {
    ...driver.floatYaml11Tag,
    identify: (value) =>
      typeof value === 'number' && (!Number.isSafeInteger(value) || Object.is(value, -0)),
    represent: floatText,
  })
  const bool = defineScalarTag<boolean>('tag:yaml.org,2002:bool', {
    implicit: true,
    implicitFirstChars: 'yYnNtTfFoO'.split(''),
    resolve: (text) => (BOOL.test(text) ? TRUE.test(text) : driver.NOT_RESOLVED),
    identify: (value) => typeof value === 'boolean',
    represent: String,
  })
  // PyYAML takes the plain sign for a type of its own, which it cannot make: it must be quoted.
  const equals = defineScalarTag<string>('tag:yaml.org,2002:value', {
    implicit: true,
    implicitFirstChars: ['='],
    resolve: (text) => (text === '=' ? text : driver.NOT_RESOLVED),
    identify: () => false,
  })
  return driver.YAML11_SCHEMA.withTags(bool, integer, float, timestamp, equals)
}

function integerOf(text: string): number | bigint {
  if (text.length > mostDigits) throw new TypeError(`an integer has more than ${mostDigits} digits`)
  const isNegative = text.startsWith('-')
  const digits = text.replace(/^[-+]/, '').replaceAll('_', '')
  const value = digits.includes(':') ? sexagesimal(digits) : BigInt(literal(digits))
  const signed = isNegative ? -value : value
  const number = Number(signed)
  return Number.isSafeInteger(number) ? number : signed
}

/** As JavaScript writes it: an octal number has only its zero in YAML 1.1. */
function literal(digits: string): string {
  if (/^0[0-7]+$/.test(digits)) return `0o${digits.slice(1)}`
  if (/^0[bx]?$/.test(digits)) return '0'
  return digits
}

function sexagesimal(digits: string): bigint {
  return digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n)
}

function timestampOf(found: RegExpExecArray): Date | LocalDate {
  const [, year, month, day, hour, minute, second, fraction, zone, sign, hours, minutes] = found
  const date = `${year}-${month!.padStart(2, '0')}-${day!.padStart(2, '0')}`
  if (hour === undefined) return new LocalDate(date)
  const offset = sign ? `${sign}${hours!.padStart(2, '0')}:${minutes ?? '00'}` : '+00:00'
  const micros = (fraction ?? '').slice(0, 6).padEnd(6, '0')
  const time = `${hour.padStart(2, '0')}:${minute}:${second}`
  return parseDateTime(
    `${date}T${time}${micros === '000000' ? '' : `.${micros}`}${zone === undefined ? '' : offset}`,
  )
}

function textOf(value: Date): string {
  const text = formatDateTime(value)
  return (text.length === 10 ? `${text}T00:00:00` : text).replace('T', ' ')
}

/** With a point always: without one PyYAML reads an integer, or a text. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return '.nan'
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf'
  const text = Object.is(value, -0) ? '-0' : String(value)
  if (text.includes('.')) return text
  return text.includes('e') ? text.replace('e', '.0e') : `${text}.0`
}
