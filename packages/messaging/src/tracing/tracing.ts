/** Contract of tracing: what producers and consumers tell of each message, and where its context travels. */
import type { Delivery } from '../message/delivery.ts'
import type { Headers } from '../message/message.ts'

/** A message on its way out, before it is encoded for good. */
export interface TracedPublish {
  readonly exchange: string
  readonly routingKey: string
  readonly headers: Headers
  readonly bodyBytes: number
  readonly messageId: string | undefined
}

export interface PublishTrace {
  /** Headers that carry the context to whoever consumes the message. */
  readonly headers: Headers
  /** Called once: the broker has it, or why not. */
  end(error?: unknown): void
}

export interface Tracing {
  publishing(publish: TracedPublish): PublishTrace
  /** Runs `work` as what becomes of a delivery, in the context its headers carry. */
  processing<T>(delivery: Delivery, work: () => Promise<T>): Promise<T>
}
