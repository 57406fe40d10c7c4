/**
 * The verbs of a broker: what a transport driver implements and everything above is built on.
 *
 * Duties of the driver: every promise settles (an operation on a dead link rejects with fault
 * `connection`, on a channel the broker closed with fault `channel`); deliveries come in order and only
 * while fewer than `prefetch` are unsettled; after `close()` or a fault no delivery is made.
 * Duties of the caller: settle each delivery once; keep the order declare → bind → consume.
 * Drivers know nothing of retries, reconnecting, serializers or argument checks.
 */
import type { MessagingError } from '../kernel/errors.ts'
import type { Delivery, Settle } from '../message/delivery.ts'
import type { Message } from '../message/message.ts'
import type { Binding, ExchangeBinding } from '../topology/binding.ts'
import type { Arguments, Exchange, ExchangeType } from '../topology/exchange.ts'
import type { Queue } from '../topology/queue.ts'

export interface Publication {
  readonly exchange: string
  readonly routingKey: string
  readonly message: Message
  /** Refuse with `MESSAGING_UNROUTABLE` when no queue gets it. */
  readonly mandatory?: boolean
  /** Delivered also when its expiration is over, where the broker allows: its consumer has to know. */
  readonly keepExpired?: boolean
  /** Wall clock before which nobody gets it; refused by name without the capability `delayedPublish`. */
  readonly delayUntilMs?: number
  /** Of the exchange, where it is known; a delay may depend on it. */
  readonly exchangeType?: ExchangeType
}

/** Which publications of a batch were not stored, by their place in it; undefined when all were. */
export type PublishFailures = ReadonlyMap<number, MessagingError> | undefined

export interface QueueStatus {
  readonly name: string
  readonly messages: number
  readonly consumers: number
}

export interface ConsumeOptions {
  readonly tag: string
  /** The broker forgets a message as it hands it out. */
  readonly noAck?: boolean
  readonly exclusive?: boolean
  /** Consumers of higher priority are served first (`x-priority`), where the broker can. */
  readonly priority?: number
  readonly arguments?: Arguments
}

/** Deliveries come in batches of what arrived together; the array is the receiver's. */
export type OnDeliveries = (deliveries: Delivery[]) => void

export interface Channel {
  readonly isOpen: boolean
  /** Resolves once, when the channel is over: with the reason, or with undefined after `close()`. */
  readonly closed: Promise<MessagingError | undefined>

  /** With `passive`, rejects with `MESSAGING_DECLARATION_REFUSED` when it is not there. */
  declareExchange(exchange: Exchange, options?: { passive?: boolean }): Promise<void>
  /** With `ifUnused`, rejects with `MESSAGING_DECLARATION_REFUSED` while anything is bound to it. */
  removeExchange(name: string, options?: { ifUnused?: boolean }): Promise<void>
  /** An empty name asks the broker for one. With `passive`, rejects with `MESSAGING_QUEUE_NOT_FOUND`. */
  declareQueue(queue: Queue, options?: { passive?: boolean }): Promise<QueueStatus>
  /** Resolves with the number of messages that went with it. */
  removeQueue(name: string, options?: { ifUnused?: boolean; ifEmpty?: boolean }): Promise<number>
  bind(binding: Binding): Promise<void>
  unbind(binding: Binding): Promise<void>
  /** Messages of one exchange through another as well, where the broker can. */
  bindExchange(binding: ExchangeBinding): Promise<void>
  unbindExchange(binding: ExchangeBinding): Promise<void>
  /** Resolves with the number of messages removed; deliveries that are out are untouched. */
  purge(queue: string): Promise<number>

  /**
   * Resolves when the broker has taken responsibility for every message that is not in the answer. Those
   * with fault `connection` or `channel` are in the dark: the link broke before the broker said anything of
   * them, and the caller may send them again. Rejects when that is so for all.
   */
  publish(batch: readonly Publication[]): Promise<PublishFailures>
  /** The next message, or undefined when there is none now. */
  get(queue: string, options?: { noAck?: boolean }): Promise<Delivery | undefined>
  consume(queue: string, options: ConsumeOptions, onDeliveries: OnDeliveries): Promise<void>
  /** No delivery is made after it resolves; those that are out stay to be settled. */
  cancel(tag: string): Promise<void>
  /** How many deliveries of this channel may be unsettled at once; 0 means no limit. */
  prefetch(count: number): Promise<void>
  readonly settle: Settle
  /** Gives every unsettled delivery of this channel back to its queue. */
  recover(): Promise<void>
  /** Sends what waits, gives unsettled deliveries back, ends. Safe to call twice. */
  close(): Promise<void>
}
