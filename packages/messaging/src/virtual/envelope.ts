/**
 * Message ⇄ the JSON text Kombu's virtual transports store: body (base64), content type and encoding,
 * headers, properties. Every virtual transport uses it, so that bytes mean the same on all of them.
 */
import type { Headers, Message } from '../message/message.ts'
import type { Properties } from '../message/properties.ts'
import { parseJson, stringifyJson } from '../serializers/json.ts'
import { boundedPriority } from './priorities.ts'

/** Header that counts deliveries nobody settled; the name RabbitMQ's quorum queues use. */
export const attemptsHeader = 'x-delivery-count'

export interface Envelope {
  readonly message: Message
  readonly exchange: string
  readonly routingKey: string
  readonly deliveryTag: string
  readonly redelivered: boolean
  readonly attempts: number
  /** Wall clock after which it must not be delivered. */
  readonly expiresAtMs: number | undefined
}

interface Stored {
  body: string
  'content-encoding'?: string | null
  'content-type'?: string | null
  headers?: Record<string, unknown> | null
  properties?: Record<string, unknown> | null
}

/** The text to store. Kombu: virtual/base.py `prepare_message` and `publish`. */
export function encodeEnvelope(
  { body, headers, properties }: Message,
  exchange: string,
  routingKey: string,
  deliveryTag: string,
  expiresAtMs?: number,
): string {
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(body.buffer, body.byteOffset, body.length)
  // As text at once: an object made only to be written is what a busy sender's collector has most to do with.
  let wire = ''
  if (properties.correlationId !== undefined)
    wire += `"correlation_id":${JSON.stringify(properties.correlationId)},`
  if (properties.replyTo !== undefined) wire += `"reply_to":${quoted(properties.replyTo)},`
  wire += `"delivery_mode":${properties.deliveryMode ?? 2},`
  if (properties.expirationMs !== undefined) wire += `"expiration":"${properties.expirationMs}",`
  wire += rarelySet(properties)
  // Ours: Kombu's envelope does not say when it was written, so nobody could honour the expiration.
  if (expiresAtMs !== undefined) wire += `"expires_at":${expiresAtMs},`
  return (
    `{"body":"${bytes.toString('base64')}"` +
    `,"content-encoding":${quoted(properties.contentEncoding ?? 'utf-8')}` +
    `,"content-type":${quoted(properties.contentType ?? 'application/data')}` +
    `,"headers":${stringifyJson(headers)},"properties":{${wire}` +
    `"delivery_info":{"exchange":${quoted(exchange)},"routing_key":${quoted(routingKey)}},` +
    // The tag last on purpose: the Redis claim script finds it at the end of the text without parsing it.
    `"priority":${writtenPriority(properties)},"body_encoding":"base64","delivery_tag":${JSON.stringify(deliveryTag)}}}`
  )
}

/** Texts that most messages share, as JSON. */
const quotes = new Map<string, string>()
const mostQuotes = 200

function quoted(text: string): string {
  let quote = quotes.get(text)
  if (quote === undefined) {
    if (quotes.size >= mostQuotes) quotes.clear()
    quotes.set(text, (quote = JSON.stringify(text)))
  }
  return quote
}

/** As it was said, like Kombu, unless no JSON could hold it. */
function writtenPriority({ priority = 0 }: Properties): number {
  return Number.isFinite(priority) ? priority : boundedPriority(priority)
}

/** Members of the properties most messages do not have, each with a comma behind it. */
function rarelySet(properties: Message['properties']): string {
  const { messageId, timestamp, type, userId, appId, clusterId, extra } = properties
  let wire = ''
  if (messageId !== undefined) wire += `"message_id":${JSON.stringify(messageId)},`
  if (timestamp !== undefined) wire += `"timestamp":${stringifyJson(timestamp)},`
  if (type !== undefined) wire += `"type":${JSON.stringify(type)},`
  if (userId !== undefined) wire += `"user_id":${JSON.stringify(userId)},`
  if (appId !== undefined) wire += `"app_id":${JSON.stringify(appId)},`
  if (clusterId !== undefined) wire += `"cluster_id":${JSON.stringify(clusterId)},`
  const more = extra === undefined ? '' : stringifyJson(extra).slice(1, -1)
  return more === '' ? wire : `${wire}${more},`
}

/** Bytes of the body in a text of ours, without decoding it; nearly right for texts of others. */
export function bodyBytes(text: string): number {
  const begin = text.indexOf('"body"')
  const first = text.indexOf('"', text.indexOf(':', begin)) + 1
  const length = text.indexOf('"', first) - first
  const padding = text.endsWith('==', first + length)
    ? 2
    : text.endsWith('=', first + length)
      ? 1
      : 0
  return Math.max(0, (length * 3) / 4 - padding)
}

/** Reads a stored text; throws a plain Error with the reason when it is no envelope. */
export function decodeEnvelope(text: string): Envelope {
  const stored = parseJson(text) as Stored
  if (typeof stored !== 'object' || stored === null) throw new Error('not a JSON object')
  const wire = stored.properties ?? {}
  if (typeof stored.body !== 'string') throw new Error('no body')
  const deliveryTag = wire['delivery_tag']
  if (typeof deliveryTag !== 'string') throw new Error('no delivery_tag in its properties')
  const info = (wire['delivery_info'] ?? {}) as Record<string, unknown>
  const headers = (stored.headers ?? {}) as Headers
  const attempts = headers[attemptsHeader]
  return {
    message: {
      body: Buffer.from(stored.body, wire['body_encoding'] === 'base64' ? 'base64' : 'utf8'),
      headers,
      properties: readProperties(stored, wire),
    },
    exchange: typeof info['exchange'] === 'string' ? info['exchange'] : '',
    routingKey: typeof info['routing_key'] === 'string' ? info['routing_key'] : '',
    deliveryTag,
    redelivered: info['redelivered'] === true || headers['redelivered'] === true,
    attempts: typeof attempts === 'number' ? attempts : 0,
    expiresAtMs: typeof wire['expires_at'] === 'number' ? wire['expires_at'] : undefined,
  }
}

const known = new Map<string, keyof Properties>([
  ['correlation_id', 'correlationId'],
  ['reply_to', 'replyTo'],
  ['delivery_mode', 'deliveryMode'],
  ['priority', 'priority'],
  ['message_id', 'messageId'],
  ['timestamp', 'timestamp'],
  ['type', 'type'],
  ['user_id', 'userId'],
  ['app_id', 'appId'],
  ['cluster_id', 'clusterId'],
])
const envelopeOnly = new Set([
  'delivery_info',
  'delivery_tag',
  'body_encoding',
  'expiration',
  'expires_at',
])

function readProperties(stored: Stored, wire: Record<string, unknown>): Properties {
  const properties: Record<string, unknown> = {}
  if (typeof stored['content-type'] === 'string') properties['contentType'] = stored['content-type']
  if (typeof stored['content-encoding'] === 'string')
    properties['contentEncoding'] = stored['content-encoding']
  let extra: Record<string, unknown> | undefined
  for (const name in wire) {
    const value = wire[name]
    const own = known.get(name)
    if (own !== undefined) {
      if (value !== null && value !== undefined) properties[own] = value
    } else if (!envelopeOnly.has(name)) (extra ??= {})[name] = value
  }
  const expiration = wire['expiration']
  if (expiration !== undefined && expiration !== null && Number.isFinite(Number(expiration)))
    properties['expirationMs'] = Number(expiration)
  if (extra) properties['extra'] = extra
  return properties as Properties
}

/**
 * The text of a message that goes back: marked as Kombu marks it (in the headers and in the delivery
 * info), and with one more attempt counted when a consumer died with it.
 */
export function markRedelivered(text: string, countAttempt: boolean): string {
  const stored = parseJson(text) as Stored
  const headers: Record<string, unknown> = { ...stored.headers, redelivered: true }
  if (countAttempt) headers[attemptsHeader] = Number(headers[attemptsHeader] ?? 0) + 1
  const { delivery_tag: tag, ...wire } = stored.properties ?? {}
  const info = (wire['delivery_info'] ?? {}) as Record<string, unknown>
  const properties = {
    ...wire,
    delivery_info: { ...info, redelivered: true },
    delivery_tag: tag,
  }
  return stringifyJson({ ...stored, headers, properties })
}
