/**
 * Messages captured from real Celery: `vectors/<name>.json` at the root of the repository. Here they are
 * read and reduced to what the protocol layer sees: headers, properties in our words, decoded body.
 */
import { readFileSync } from 'node:fs'
import type { Headers, Properties } from '@celeriac/messaging'

export interface Captured {
  readonly headers: Headers
  readonly properties: Properties
  readonly body: unknown
}

type Mapping = Record<string, unknown>

/** The whole vector, as it lies on the disk. */
export function loadVector(name: string): Mapping {
  const file = new URL(`../../../vectors/${name}.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')) as Mapping
}

/** Its task messages in the order in which they were published. */
export function capturedMessages(name: string): Captured[] {
  const vector = loadVector(name)
  const messages = (vector['messages'] ?? vector['publishes'] ?? []) as Mapping[]
  return messages.map((message) => {
    const envelope = (message['envelope'] ?? message) as Mapping
    return captured(envelope, message['body_json'])
  })
}

/** One message from its envelope, as it lies in a Redis list or as AMQP brings it. */
export function captured(envelope: Mapping, body: unknown): Captured {
  return {
    headers: (envelope['headers'] ?? null) as Headers,
    properties: propertiesOf((envelope['properties'] ?? {}) as Mapping),
    body,
  }
}

const ourNames: Readonly<Record<string, string>> = {
  correlation_id: 'correlationId',
  reply_to: 'replyTo',
  delivery_mode: 'deliveryMode',
  priority: 'priority',
  message_id: 'messageId',
  app_id: 'appId',
  user_id: 'userId',
  type: 'type',
}

/** What the transport puts there by itself is left out. */
const transportOwn = new Set([
  'delivery_info',
  'delivery_tag',
  'body_encoding',
  'content_type',
  'content_encoding',
])

function propertiesOf(wire: Mapping): Properties {
  const properties: Mapping = {}
  const extra: Mapping = {}
  for (const [name, value] of Object.entries(wire)) {
    if (transportOwn.has(name)) continue
    if (name === 'expiration') properties['expirationMs'] = Number(value)
    else if (ourNames[name] !== undefined) properties[ourNames[name]] = value
    else extra[name] = value
  }
  return { ...properties, ...(Object.keys(extra).length > 0 && { extra }) } as Properties
}
