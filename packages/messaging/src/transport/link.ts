/**
 * What producers and consumers need of a connection: a channel when there is a link, and to be told when
 * none comes. The connection implements it; this keeps producer and consumer below it.
 */
import type { BodyCodec } from '../codec/body.ts'
import type { Ambient } from '../kernel/ambient.ts'
import type { Counters } from '../kernel/counters.ts'
import type { Channel } from './channel.ts'
import type { Session } from './transport.ts'

export interface Link {
  readonly ambient: Ambient
  readonly codec: BodyCodec
  readonly counters: Counters
  readonly publishTimeoutMs: number
  readonly publishBuffer: number
  /** The current session, opened (again) when there is none; rejects when `signal` aborts first. */
  session(signal: AbortSignal): Promise<Session>
  /** A new channel on the current session. */
  openChannel(signal: AbortSignal): Promise<{ channel: Channel; session: Session }>
  /** Keeps the connection's `close` waiting for this part to stop first. */
  own(part: { stop(): Promise<void> }): () => void
}
