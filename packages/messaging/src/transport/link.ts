/**
 * What producers and consumers need of a connection: a channel when there is a link, and to be told when
 * none comes. The connection implements it; this keeps producer and consumer below it.
 */
import type { BodyCodec } from '../codec/body.ts'
import type { Ambient } from '../kernel/ambient.ts'
import type { Counters } from '../kernel/counters.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { Capabilities } from './capabilities.ts'
import type { Channel } from './channel.ts'
import type { Session } from './transport.ts'

/** What a link is for: anything, or publishing alone. */
export type Purpose = 'any' | 'publish'

export interface Link {
  readonly ambient: Ambient
  readonly codec: BodyCodec
  readonly counters: Counters
  readonly tracing: Tracing | undefined
  readonly publishTimeoutMs: number
  readonly publishBuffer: number
  /**
   * A new channel on the current link, which is opened (again) when there is none; rejects when `signal`
   * aborts first. Channels for publishing may come on a link of their own.
   */
  openChannel(
    signal: AbortSignal,
    purpose?: Purpose,
  ): Promise<{ channel: Channel; session: Session }>
  /** What the broker can do. */
  capabilities(): Promise<Capabilities>
  /** Keeps the connection's `close` waiting for this part to stop first. */
  own(part: { stop(): Promise<void> }): () => void
}
