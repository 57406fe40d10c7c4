/**
 * What a broker without AMQP has to offer; exchanges, windows, delivery tags and acknowledgements are
 * emulated above it, once for all stores.
 *
 * Duties of the store: `take` is atomic (a message handed to one session is invisible to all others until
 * it is settled or that session's lease ends, and no instant exists at which a killed process loses it);
 * `push` resolves when the messages are kept as safely as the store keeps anything; every promise settles.
 * Duties of the caller: settle each `Taken` once; call `tick` at least every `tickMs`.
 * Batches are the rule: one call, one write.
 */
import type { Ambient } from '../kernel/ambient.ts'
import type { MessagingError } from '../kernel/errors.ts'
import type { PublishFailures } from '../transport/channel.ts'
import type { Binding, ExchangeBinding } from '../topology/binding.ts'
import type { Exchange } from '../topology/exchange.ts'
import type { Queue } from '../topology/queue.ts'

/** A message on its way into one queue. `text` is the envelope (virtual/envelope.ts). */
export interface Push {
  readonly queue: string
  readonly text: string
  /** As the message says it: stores take the `boundedPriority` of it. */
  readonly priority: number | undefined
  /**
   * Wall clock after which nobody may get it; it stands in the text as well, so that a store may pass over
   * it. One that does not hands expired messages out in `TickResult.expired`.
   */
  readonly expiresAtMs?: number | undefined
  /** Wall clock before which nobody may get it; only with the capability `delayedPublish`. */
  readonly dueAtMs?: number | undefined
}

/** A message handed to this session. */
export interface Taken {
  /** Opaque; unique among what this session holds. */
  readonly receipt: string
  readonly queue: string
  readonly text: string
  /** Deliveries before this one, where the store counts them outside the text. */
  readonly attempts?: number
  /** Among `TickResult.expired`: not its time is over, its queue is too long. */
  readonly crowdedOut?: boolean
}

/** As `Outcome`, with `remove` for acknowledged and dropped alike. */
export type StoreOutcome = 'remove' | 'requeue' | 'restore' | { readonly delayUntilMs: number }

export interface Settlement {
  readonly taken: Taken
  readonly outcome: StoreOutcome
}

export interface TickResult {
  /** Messages given back: from dead sessions, or because their hour has come. */
  readonly restored: number
  /** Milliseconds until the next message is due or expires, when one does. */
  readonly nextDueMs: number | undefined
  /** Taken for this session because their time is over or their queue too long, to be settled. */
  readonly expired?: readonly Taken[]
}

/** One session's view of the broker. */
export interface MessageStore {
  /** Name and version of what is behind it. */
  readonly server: string
  /** Milliseconds between two `tick`s; leases last three times as long. */
  readonly tickMs: number
  /** Resolves once, when the link is over: with the reason, or undefined after `close`. */
  readonly closed: Promise<MessagingError | undefined>
  /**
   * Of stores whose sessions outlive their links: the name under which this session holds messages. It is
   * that of `StoreContext.resumes` when its lease still stood and this session goes on with it.
   */
  readonly identity?: string
  /** Keeps what the store needs to know of a queue; declaring again is fine. */
  declareQueue(queue: Queue): Promise<void>
  /** The queue as it was last declared; only of stores with the capability `deadLetters`. */
  findQueue?(name: string): Promise<Queue | undefined>
  /** False for a queue nobody declared and that holds nothing. */
  hasQueue(name: string): Promise<boolean>
  /** Removes the queue, its messages and its bindings; resolves with the number of messages. */
  removeQueue(name: string): Promise<number>
  count(queue: string): Promise<number>
  purge(queue: string): Promise<number>

  declareExchange(exchange: Exchange): Promise<void>
  /** Undefined when this store does not know it, or knows bindings to it but not its type. */
  findExchange(name: string): Promise<Exchange | undefined>
  removeExchange(name: string): Promise<void>
  bind(binding: Binding, exchange: Exchange | undefined): Promise<void>
  unbind(binding: Binding, exchange: Exchange | undefined): Promise<void>
  readBindings(exchange: string): Promise<readonly Binding[]>
  /** Only of stores with the capability `exchangeBindings`. */
  bindExchange?(binding: ExchangeBinding): Promise<void>
  unbindExchange?(binding: ExchangeBinding): Promise<void>
  /** Exchanges to which this one passes its messages on. */
  readExchangeBindings?(exchange: string): Promise<readonly ExchangeBinding[]>

  /**
   * Resolves with those that were not kept, by their place in the batch; rejects when nothing is known of
   * any. All or nothing where the store can.
   */
  push(batch: readonly Push[]): Promise<PublishFailures | void>
  /**
   * At most `max` messages, at once and without waiting. Urgent ones first; among queues of equal
   * urgency fairly, starting with the first named. A text that is no envelope is parked, not returned.
   */
  take(queues: readonly string[], max: number): Promise<Taken[]>
  /**
   * Resolves when one of the queues may have something, at once when it already has, or when `signal`
   * aborts. May resolve early; never misses a push for longer than `tickMs`.
   */
  wait(queues: readonly string[], signal: AbortSignal): Promise<void>
  /** True when the last `take` left nothing in these queues, and `wait` will tell of what comes: no need to take again. */
  isResting?(queues: readonly string[]): boolean
  /** Settling what this session no longer holds is a no-op. */
  settle(batch: readonly Settlement[]): Promise<void>
  /** Gives back what this resumed session holds, but for these receipts: nobody here knows of it. */
  giveBackBut?(receipts: ReadonlySet<string>): Promise<void>
  /** This session begins or ends to consume a queue: for stores with `autoDelete` or `exclusiveQueues`. */
  join?(queue: string): Promise<void>
  leave?(queue: string): Promise<void>
  /** Consumers of all sessions, where the store counts them. */
  consumers?(queue: string): number | Promise<number>
  /** Renews the lease, gives back what dead sessions held and what is due. */
  tick(): Promise<TickResult>

  /** Publish/subscribe for fanout exchanges; without it a fanout copies into every bound queue. */
  readonly broadcast?: Broadcast
  /**
   * Gives back everything it holds, then ends. With `keep`, for stores with an `identity`: holds it until
   * the lease ends, since a session that resumes this one is about to come. Safe to call twice.
   */
  close(options?: { keep?: boolean }): Promise<void>
}

export interface Broadcast {
  publish(exchange: string, routingKey: string, text: string): Promise<void>
  /** Resolves when everything published from now on arrives; the returned function ends it. */
  subscribe(
    exchange: string,
    routingKey: string,
    onText: (text: string) => void,
  ): Promise<() => Promise<void>>
}

/** What a store reports while it works; the transport turns it into signals and log lines. */
export interface StoreEvents {
  /** A text that is no message was put aside in the queue `parkedQueue`. */
  onParked(queue: string, reason: string): void
  /** There is something for `tick` now, sooner than it said. */
  onDue(): void
}

export interface StoreContext {
  readonly ambient: Ambient
  readonly events: StoreEvents
  /** Unique name for the session. */
  readonly session: string
  /** Name of the session that lost its link a moment ago; see `MessageStore.identity`. */
  readonly resumes?: string
}

/** Where texts go that are no messages; an ordinary queue, so it can be counted, read and replayed. */
export const parkedQueue = 'celeriac.parked'

/** Where garbage found in `queue` goes: never back to where it came from, which would go on for ever. */
export function parkedFor(queue: string): string {
  return queue === parkedQueue ? `${parkedQueue}.unreadable` : parkedQueue
}
