/** Kombu's typed values: `{"__type__": name, "__value__": text}`, both ways. One row for each type. */
import { isUtf8 } from 'node:buffer'
import {
  Decimal,
  formatDateTime,
  LocalDate,
  LocalTime,
  parseDateTime,
  Uuid,
} from './json-values.ts'

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function textOf(value: unknown, type: string): string {
  if (typeof value === 'string') return value
  throw new TypeError(`__value__ of ${type} must be a text, found ${typeof value}`)
}

function hexOf(value: unknown): string {
  const hex: unknown =
    typeof value === 'object' && value !== null && 'hex' in value ? value.hex : value
  return textOf(hex, 'uuid')
}

const readers: ReadonlyMap<string, (value: unknown) => unknown> = new Map<
  string,
  (value: unknown) => unknown
>([
  ['datetime', (value) => parseDateTime(textOf(value, 'datetime'))],
  ['date', (value) => new LocalDate(textOf(value, 'date'))],
  ['time', (value) => new LocalTime(textOf(value, 'time'))],
  ['decimal', (value) => new Decimal(textOf(value, 'decimal'))],
  ['uuid', (value) => new Uuid(hexOf(value))],
  ['bytes', (value) => new TextEncoder().encode(textOf(value, 'bytes'))],
  ['base64', (value) => base64(textOf(value, 'base64').replaceAll(/\s/g, ''))],
])

function base64(text: string): Uint8Array {
  // Node skips what is not base64; half a value must not pass for a whole one.
  if (!BASE64.test(text)) throw new TypeError('__value__ of base64 is not base64')
  return new Uint8Array(Buffer.from(text, 'base64'))
}

/** The value of a typed mapping. Throws a TypeError for an unknown type or a value it cannot have. */
export function readTyped(type: unknown, value: unknown): unknown {
  const reader = typeof type === 'string' ? readers.get(type) : undefined
  if (reader) return reader(value)
  const known = [...readers.keys()].join(', ')
  throw new TypeError(`unknown __type__ ${JSON.stringify(type)}; known: ${known}`)
}

/** A typed value as JSON text, or undefined for a value that is not one of these. */
export function writeTyped(value: object): string | undefined {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new TypeError('an invalid Date cannot be sent')
    return typed('datetime', formatDateTime(value))
  }
  if (value instanceof Uint8Array) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return isUtf8(bytes)
      ? typed('bytes', bytes.toString('utf8'))
      : typed('base64', bytes.toString('base64'))
  }
  if (value instanceof LocalDate) return typed('date', value.toString())
  if (value instanceof LocalTime) return typed('time', value.toString())
  if (value instanceof Decimal) return typed('decimal', value.toString())
  if (value instanceof Uuid) return typed('uuid', { hex: value.hex })
  return undefined
}

function typed(type: string, value: unknown): string {
  return JSON.stringify({ __type__: type, __value__: value })
}
