/**
 * Contract of a transport: opens links to one kind of broker and tells how bad its errors are. A user
 * adds one by giving it to `new Connection(url, { transports: { ...transports, mine } })`.
 */
import type { Ambient } from '../kernel/ambient.ts'
import type { MessagingError } from '../kernel/errors.ts'
import type { Capabilities } from './capabilities.ts'
import type { Channel } from './channel.ts'

/** Where to connect: a parsed URL with its query options already merged with the code's. */
export interface Target {
  /** The URL without its query. Carries the password: never log it. */
  readonly url: string
  readonly scheme: string
  readonly host: string
  readonly port: number | undefined
  /** Of a scheme with `gathers`: all servers that were named, the first of them being `host`. */
  readonly hosts?: readonly { readonly host: string; readonly port: number | undefined }[]
  readonly username: string | undefined
  readonly password: string | undefined
  /** Path without the leading slash, decoded: virtual host, database or file. */
  readonly path: string
  /** Transport options by their camelCase names. */
  readonly options: Readonly<Record<string, unknown>>
  /** The URL as it may be shown. */
  readonly masked: string
}

export interface ConnectOptions {
  readonly target: Target
  readonly ambient: Ambient
  /** Deadline of the whole handshake. */
  readonly timeoutMs: number
  /** Seconds between link checks; 0 switches them off. */
  readonly heartbeatSeconds: number
  /** Name shown in the broker's list of clients. */
  readonly clientName: string
  /** The broker stops (with its reason) or goes on (undefined) taking messages from this link. */
  readonly onBlocked?: (reason: string | undefined) => void
  /**
   * The session this one follows after its link broke. A broker with leases may go on with it: what was
   * handed out is still held then, and what was settled meanwhile is told.
   */
  readonly resumes?: Session
}

/** One link. It never reconnects by itself: a lost link ends the session, the connection opens the next. */
export interface Session {
  openChannel(): Promise<Channel>
  /** Resolves once, when the link is over: with the reason, or with undefined after `close()`. */
  readonly closed: Promise<MessagingError | undefined>
  /** The broker's name and version, for banners and reports. */
  readonly server: string
  close(): Promise<void>
}

export interface Transport {
  readonly name: string
  readonly capabilities: Capabilities
  /** Names of its options, camelCase; any other is refused. Left out: it takes any. */
  readonly options?: readonly string[]
  /** Rejects with a `MessagingError` whose fault says whether trying again can help. */
  connect(options: ConnectOptions): Promise<Session>
}

/** A row of the shelf: loads the transport on first use, so that unused drivers are never loaded. */
export interface TransportEntry {
  load(): Promise<Transport>
  /** The broker may stop whoever publishes, so publishing gets a link of its own: consumers go on. */
  readonly publishesApart?: boolean
  /** Port when the URL names none. */
  readonly defaultPort: number | undefined
  /** URLs of this scheme that follow one another name servers of one target, no alternatives. */
  readonly gathers?: boolean
}
