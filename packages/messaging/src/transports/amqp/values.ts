/** Headers and properties of this package ⇄ what amqplib reads and writes. */
import type { GetMessage, MessageProperties, Options } from 'amqplib/callback_api'
import { MessagingError } from '../../kernel/errors.ts'
import { noHeaders, type Headers, type Message } from '../../message/message.ts'
import type { Properties } from '../../message/properties.ts'

type Table = Record<string, unknown>

const longLimit = 2n ** 63n

/**
 * A table amqplib can encode; the same object when nothing needs another form. Throws
 * `MESSAGING_ENCODE_FAILED` for values AMQP has no form for.
 */
export function toTable(headers: Readonly<Table>): Table {
  let changed: Table | undefined
  for (const name in headers) {
    const value = headers[name]
    const wire = toField(value, name)
    if (wire !== value) (changed ??= { ...headers })[name] = wire
  }
  return changed ?? headers
}

function toField(value: unknown, name: string): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return value
    case 'number':
      if (!Number.isFinite(value)) throw unfit(name, `${value} has no form in AMQP`)
      return value < -(2 ** 63) ? { '!': 'double', value } : value
    case 'bigint':
      if (value >= longLimit || value < -longLimit) throw unfit(name, 'the integer exceeds 64 bits')
      return { '!': 'long', value }
    case 'object':
      return value === null ? null : toCompound(value, name)
    default:
      throw unfit(name, `a ${typeof value} cannot be sent`)
  }
}

function toCompound(value: object, name: string): unknown {
  if (value instanceof Date) {
    const seconds = Math.floor(value.getTime() / 1000)
    if (!(seconds >= 0)) throw unfit(name, 'the date is invalid or before 1970')
    return { '!': 'timestamp', value: seconds }
  }
  if (value instanceof Uint8Array) return toBuffer(value)
  if (Array.isArray(value)) return toList(value, name)
  const table = toTable(value as Table)
  // A key '!' of its own would be read as a type; amqplib also writes what is inherited.
  return Object.hasOwn(table, '!') ? Object.create(table) : table
}

function toList(list: readonly unknown[], name: string): readonly unknown[] {
  let changed: unknown[] | undefined
  for (let i = 0; i < list.length; i++) {
    // In a list undefined has a place, so it becomes null.
    const wire = toField(list[i], name) ?? null
    if (wire !== list[i]) (changed ??= [...list])[i] = wire
  }
  return changed ?? list
}

function unfit(name: string, why: string): MessagingError {
  return new MessagingError('MESSAGING_ENCODE_FAILED', 'message', `the header '${name}': ${why}`)
}

export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Publish options of a message; throws `MESSAGING_ENCODE_FAILED`. `extra` has no place in AMQP. */
export function toOptions({ headers, properties }: Message, mandatory: boolean): Options.Publish {
  const { expirationMs, timestamp, extra: _, clusterId: __, ...same } = properties
  const options: Options.Publish = same
  options.headers = toTable(headers)
  options.deliveryMode ??= 2
  if (mandatory) options.mandatory = true
  if (timestamp !== undefined) options.timestamp = Math.trunc(timestamp)
  if (expirationMs !== undefined) {
    if (Number.isNaN(expirationMs)) throw unfit('expiration', 'it is not a number')
    options.expiration = String(Math.max(0, Math.round(expirationMs)))
  }
  return options
}

/** At most so many bytes are the frame of these headers and properties. */
export function headerSize(options: Options.Publish): number {
  // The frame, class, size and flags; then each property with its length, at most eight bytes for a number.
  let bytes = 7 + 1 + 2 + 2 + 8 + 2
  for (const value of Object.values(options as Table)) bytes += fieldSize(value)
  return bytes
}

function fieldSize(value: unknown): number {
  if (typeof value === 'string') return 5 + Buffer.byteLength(value)
  if (typeof value !== 'object' || value === null) return 9
  if (value instanceof Uint8Array) return 5 + value.byteLength
  let bytes = 9
  if (Array.isArray(value)) for (const item of value) bytes += fieldSize(item)
  else
    for (const name in value)
      bytes += 1 + Buffer.byteLength(name) + fieldSize((value as Table)[name])
  return bytes
}

/** The message that arrived. */
export function toMessage({
  content,
  properties,
}: Pick<GetMessage, 'content' | 'properties'>): Message {
  return {
    body: content,
    headers: properties.headers ? fromTable(properties.headers) : noHeaders,
    properties: toProperties(properties),
  }
}

const sameName = [
  'contentType',
  'contentEncoding',
  'deliveryMode',
  'priority',
  'correlationId',
  'replyTo',
  'messageId',
  'timestamp',
  'type',
  'userId',
  'appId',
  'clusterId',
] as const

function toProperties(wire: MessageProperties): Properties {
  const properties: Record<string, unknown> = {}
  for (const name of sameName) {
    const value: unknown = wire[name]
    if (value !== undefined) properties[name] = value
  }
  const { expiration } = wire
  if (typeof expiration === 'string' && Number.isFinite(Number(expiration)))
    properties['expirationMs'] = Number(expiration)
  return properties as Properties
}

/** The headers of a table that arrived; the same object when nothing needs another form. */
export function fromTable(table: Table): Headers {
  let changed: Table | undefined
  for (const name in table) {
    const value = table[name]
    if (typeof value !== 'object' || value === null) continue
    const own = fromCompound(value)
    if (own !== value) (changed ??= { ...table })[name] = own
  }
  return (changed ?? table) as Headers
}

function fromCompound(value: object): unknown {
  if (Buffer.isBuffer(value)) return value
  if (Array.isArray(value)) return fromList(value)
  const typed = value as { '!'?: unknown; value?: unknown }
  if (typed['!'] === 'timestamp') return new Date(Number(typed.value) * 1000)
  if (typed['!'] === 'decimal') {
    const { digits, places } = typed.value as { digits: number; places: number }
    return digits / 10 ** places
  }
  return fromTable(value as Table)
}

function fromList(list: readonly unknown[]): readonly unknown[] {
  let changed: unknown[] | undefined
  for (let i = 0; i < list.length; i++) {
    const value = list[i]
    if (typeof value !== 'object' || value === null) continue
    const own = fromCompound(value)
    if (own !== value) (changed ??= [...list])[i] = own
  }
  return changed ?? list
}
