/** What a transport can do, as data: the suite tests a declared ability and the refusal of a missing one. */
import { MessagingError } from '../kernel/errors.ts'
import type { ExchangeType } from '../topology/exchange.ts'

export interface Capabilities {
  readonly exchangeTypes: readonly ExchangeType[]
  /** Queues outlive the process that declared them. */
  readonly persistent: boolean
  /** Several processes see the same queues. */
  readonly shared: boolean
  /** Messages of a queue are served by priority. `high-first` as AMQP, `low-first` as Kombu on Redis. */
  readonly priority: 'none' | 'high-first' | 'low-first'
  /** `delayUntilMs` as an outcome: the broker holds a message until its time. */
  readonly delay: boolean
  /** `delayUntilMs` of a publication: the broker holds a message from the start. Left out: it cannot. */
  readonly delayedPublish?: boolean
  /** An unroutable mandatory message comes back as `MESSAGING_UNROUTABLE`. */
  readonly mandatory: boolean
  /** Messages whose time is over (`expirationMs`, or the queue's `messageTtlMs`) are not delivered. */
  readonly messageTtl: boolean
  /** A queue that nobody uses for its `expiresMs` goes with its messages. */
  readonly queueExpiry: boolean
  /** A queue keeps at most `maxLength` messages or `maxLengthBytes`. */
  readonly maxLength: boolean
  /** What is dropped, expires or is crowded out goes to the queue's dead-letter exchange. */
  readonly deadLetters: boolean
  /** An exchange can be bound to an exchange. */
  readonly exchangeBindings: boolean
  /** Consumers of a queue can differ in priority. */
  readonly consumerPriority: boolean
  /** `attempts` counts deliveries that were never settled. */
  readonly countsAttempts: boolean
  /** A fanout reaches only queues that are consumed at that moment (publish/subscribe). */
  readonly fanoutNeedsConsumer: boolean
  /** A queue declared `autoDelete` goes with its last consumer; elsewhere the wish is passed over. */
  readonly autoDelete: boolean
  /** A queue can be exclusive to its connection and go with it; elsewhere the wish is passed over. */
  readonly exclusiveQueues: boolean
}

/** The refusal of something a transport cannot do; it names the transport and the ability. */
export function notSupported(transport: string, what: string): MessagingError {
  return new MessagingError(
    'MESSAGING_NOT_SUPPORTED',
    'message',
    `the ${transport} transport cannot ${what}`,
  )
}
