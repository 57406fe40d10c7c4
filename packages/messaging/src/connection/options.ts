/** What a connection can be told, with the defaults. Times are seconds, as everywhere in the public API. */
import type { Compressor } from '../codec/compressor.ts'
import type { Serializer } from '../codec/serializer.ts'
import { systemAmbient, type Ambient } from '../kernel/ambient.ts'
import { MessagingError } from '../kernel/errors.ts'
import { didYouMean } from '../kernel/suggest.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { TransportEntry } from '../transport/transport.ts'
import type { FailoverStrategy } from './failover.ts'

export interface ConnectionOptions {
  /** Which URL is tried next; default `round-robin`. */
  readonly failover?: FailoverStrategy
  /** Seconds one attempt to connect may take; default 4, as Kombu. */
  readonly connectTimeout?: number
  /** Seconds between link checks; a link that answers none is given up. Default 5; 0 switches off. */
  readonly heartbeat?: number
  /** Seconds within which a publish is confirmed or rejects; default 5. */
  readonly publishTimeout?: number
  /** Publishes that may wait for the broker at once; more are refused. Default 100,000. */
  readonly publishBuffer?: number
  /** Instead of what the URLs say. */
  readonly username?: string
  readonly password?: string
  readonly virtualHost?: string
  readonly port?: number
  /** Asked before each attempt to connect, for credentials that change: tokens, rotated passwords. */
  readonly credentials?: () => Credentials | Promise<Credentials>
  /** The transport's own options, camelCase; unknown ones are refused. */
  readonly transportOptions?: Readonly<Record<string, unknown>>
  /** The name shown in the broker's list of clients; default `celeriac`. */
  readonly clientName?: string
  /** Content that may be decoded, by serializer name or content type; default json, text and raw. */
  readonly accept?: readonly string[]
  /** Longest body after decompression, in bytes; default 128 MiB. */
  readonly bodyLimit?: number
  /** Spans of publishes and of what handlers do; see `openTelemetry`. */
  readonly tracing?: Tracing
  readonly transports?: Readonly<Record<string, TransportEntry>>
  /** All that are known, found by name and content type; default the shelf: `[...Object.values(serializers), mine]`. */
  readonly serializers?: readonly Serializer[]
  /** The same for compressors. Later ones win over earlier ones of the same name. */
  readonly compressors?: readonly Compressor[]
  readonly ambient?: Partial<Ambient>
}

export interface Credentials {
  readonly username?: string
  readonly password?: string
}

export interface ConnectionConfig {
  readonly failover: FailoverStrategy
  readonly connectTimeoutMs: number
  readonly heartbeatSeconds: number
  readonly publishTimeoutMs: number
  readonly publishBuffer: number
  readonly credentials: ConnectionOptions['credentials']
  readonly clientName: string
  readonly accept: readonly string[]
  readonly bodyLimit: number
  readonly tracing: Tracing | undefined
  readonly ambient: Ambient
}

const names = [
  'failover',
  'connectTimeout',
  'heartbeat',
  'publishTimeout',
  'publishBuffer',
  'username',
  'password',
  'virtualHost',
  'port',
  'credentials',
  'transportOptions',
  'clientName',
  'accept',
  'bodyLimit',
  'tracing',
  'transports',
  'serializers',
  'compressors',
  'ambient',
] as const satisfies readonly (keyof ConnectionOptions)[]

/** Options of a connection that may stand in the query of a URL, by the names that are written there. */
const inUrl = {
  heartbeat: 'heartbeat',
  connectTimeout: 'connectTimeout',
  publishTimeout: 'publishTimeout',
  clientName: 'clientName',
  failover: 'failover',
  failoverStrategy: 'failover',
} as const satisfies Record<string, keyof ConnectionOptions>

/** Names in a URL's query that are no options of its transport. */
export const urlOptionNames: readonly string[] = Object.keys(inUrl)

/** What the query of the first URL says, where the code says nothing. Kombu: utils/url.py, `parse_url`. */
export function withUrlOptions(
  options: ConnectionOptions,
  query: Readonly<Record<string, unknown>>,
): ConnectionOptions {
  const found: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(inUrl))
    if (query[name] !== undefined && options[option] === undefined) found[option] = query[name]
  return { ...options, ...found }
}

/** Fills in the defaults; throws `MESSAGING_OPTION_INVALID` for unknown names and impossible values. */
export function connectionConfig(options: ConnectionOptions): ConnectionConfig {
  for (const name of Object.keys(options)) {
    if ((names as readonly string[]).includes(name)) continue
    throw invalid(`unknown connection option '${name}'.${didYouMean(name, names)}`)
  }
  const positive = (name: keyof ConnectionOptions, fallback: number, least: number): number => {
    const value = options[name] ?? fallback
    if (typeof value === 'number' && value >= least && !Number.isNaN(value)) return value
    throw invalid(`${name} must be a number of at least ${least}, found ${JSON.stringify(value)}`)
  }
  return {
    failover: options.failover ?? 'round-robin',
    connectTimeoutMs: positive('connectTimeout', 4, 0.001) * 1000,
    heartbeatSeconds: positive('heartbeat', 5, 0),
    publishTimeoutMs: positive('publishTimeout', 5, 0.001) * 1000,
    publishBuffer: positive('publishBuffer', 100_000, 1),
    credentials: options.credentials,
    clientName: options.clientName ?? 'celeriac',
    accept: options.accept ?? ['json', 'text', 'raw'],
    bodyLimit: positive('bodyLimit', 128 * 1024 * 1024, 1),
    tracing: options.tracing,
    ambient: systemAmbient(options.ambient),
  }
}

function invalid(text: string): MessagingError {
  return new MessagingError('MESSAGING_OPTION_INVALID', 'fatal', text)
}
