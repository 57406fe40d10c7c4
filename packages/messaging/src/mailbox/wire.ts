/** The messages of a mailbox as they travel. Kombu: `kombu.pidbox`. */
import { exchange, type Exchange, type ExchangeType } from '../topology/exchange.ts'

export interface Command {
  readonly method: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly destination: readonly string[] | null
  readonly pattern: string | null
  readonly matcher: string | null
  readonly ticket?: string
  readonly reply_to?: { readonly exchange: string; readonly routing_key: string }
}

export function commandExchange(namespace: string, type: ExchangeType): Exchange {
  return exchange(`${namespace}.pidbox`, { type, durable: false })
}

/** Also for a name that came with a command: whoever asks has declared it. */
export function replyExchange(name: string): Exchange {
  return exchange(name, { durable: false, deliveryMode: 1 })
}

/** The body of a message as a command; undefined when it is none. */
export function readCommand(value: unknown): Command | undefined {
  if (!isTable(value) || typeof value['method'] !== 'string') return undefined
  const { method, arguments: args, destination, pattern, matcher, ticket, reply_to: to } = value
  return {
    method,
    arguments: isTable(args) ? args : {},
    destination: Array.isArray(destination) ? (destination as unknown[]).map(String) : null,
    pattern: typeof pattern === 'string' && pattern !== '' ? pattern : null,
    matcher: typeof matcher === 'string' && matcher !== '' ? matcher : null,
    ...(typeof ticket === 'string' && { ticket }),
    ...(isTable(to) && {
      reply_to: { exchange: String(to['exchange']), routing_key: String(to['routing_key']) },
    }),
  }
}

/** An exception as Python shows it: what a failed handler answers. */
export function reprOf(error: unknown): string {
  if (!(error instanceof Error)) return `Error(${quote(String(error))})`
  return `${error.name}(${quote(error.message)})`
}

function quote(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  return text.includes("'") && !text.includes('"')
    ? `"${escaped}"`
    : `'${escaped.replaceAll("'", "\\'")}'`
}

export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
