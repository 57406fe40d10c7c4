/** What travels: bytes with headers and properties. A value; nobody changes one after making it. */
import type { Properties } from './properties.ts'

/** Header values as AMQP tables and JSON can both carry them. */
export type HeaderValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | Date
  | Uint8Array
  | readonly HeaderValue[]
  | { readonly [name: string]: HeaderValue }

export type Headers = Readonly<Record<string, HeaderValue>>

export interface Message {
  readonly body: Uint8Array
  readonly headers: Headers
  readonly properties: Properties
}

export const noHeaders: Headers = Object.freeze({})

/** A message with the parts that were left out filled in. */
export function message(
  body: Uint8Array | string,
  properties: Properties = {},
  headers: Headers = noHeaders,
): Message {
  return { body: typeof body === 'string' ? Buffer.from(body) : body, headers, properties }
}
