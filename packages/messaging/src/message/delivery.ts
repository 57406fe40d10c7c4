/**
 * A message that arrived, together with the duty to settle it once, also when the link it came on broke
 * meanwhile. What that does then depends on the broker: RabbitMQ has taken the message back, and nothing
 * happens; brokers with leases keep it for us until the lease ends, and are told with the next link.
 */
import type { Message } from './message.ts'
import { MessagingError } from '../kernel/errors.ts'

/**
 * What becomes of a delivery. `ack`: done; `requeue`: again, behind what waits (where the broker lets
 * us choose); `restore`: again, next in line; `drop`: gone, to the dead-letter exchange where there is
 * one; `delayUntilMs`: again, when the wall clock says so (only with the capability `delay`).
 */
export type Outcome = 'ack' | 'requeue' | 'restore' | 'drop' | { readonly delayUntilMs: number }

/** Settles a delivery; the promise is shared by everything settled in the same turn. */
export type Settle = (delivery: Delivery, outcome: Outcome) => Promise<void>

export interface Origin {
  /** Opaque to everyone but the channel. */
  readonly receipt: unknown
  readonly consumerTag: string
  readonly queue: string
  readonly exchange: string
  readonly routingKey: string
  /** True when the broker has handed this message out before. */
  readonly redelivered: boolean
  /** Earlier deliveries that ended without being settled, where the broker counts them. */
  readonly attempts: number
}

export class Delivery {
  readonly message: Message
  readonly origin: Origin
  readonly #settle: Settle
  #onSettled: ((outcome: Outcome) => void) | undefined
  #settled: boolean
  #decode: ((message: Message) => unknown) | undefined
  #decoded: { readonly value: unknown } | undefined

  constructor(message: Message, origin: Origin, settle: Settle, settled = false) {
    this.message = message
    this.origin = origin
    this.#settle = settle
    this.#settled = settled
  }

  /**
   * The decoded body, decoded at the first look. Throws what the codec throws: content that is not
   * accepted, unknown, or damaged.
   */
  get value(): unknown {
    if (this.#decode) this.#decoded ??= { value: this.#decode(this.message) }
    return this.#decoded ? this.#decoded.value : this.message.body
  }

  /** Gives the delivery the codec of whoever consumes it; without one `value` is the bytes. */
  useDecoder(decode: (message: Message) => unknown): this {
    this.#decode = decode
    return this
  }

  /** Called once, when the settlement is through or failed for good; what counts them. */
  whenSettled(listener: (outcome: Outcome) => void): this {
    this.#onSettled = listener
    return this
  }

  /** True once it was settled, or when it came without the need to. */
  get isSettled(): boolean {
    return this.#settled
  }

  /**
   * Settles once. Rejects with `MESSAGING_ALREADY_SETTLED` the second time; resolves when the broker has
   * been told. Without a link it resolves at once: the message is back already, or the next link tells.
   */
  settle(outcome: Outcome): Promise<void> {
    if (this.#settled) {
      return Promise.reject(
        new MessagingError(
          'MESSAGING_ALREADY_SETTLED',
          'message',
          'this delivery was settled before; a delivery is acknowledged, requeued or dropped once',
        ),
      )
    }
    this.#settled = true
    const done = this.#settle(this, outcome)
    done.then(
      () => this.#onSettled?.(outcome),
      (error: unknown) => {
        // Nothing was done with it: it can still be settled in another way.
        if (MessagingError.is(error) && error.code === 'MESSAGING_NOT_SUPPORTED')
          this.#settled = false
        else this.#onSettled?.(outcome)
      },
    )
    return done
  }

  /** Done with it. */
  ack(): Promise<void> {
    return this.settle('ack')
  }

  /** Back to its own queue, for anyone. */
  requeue(): Promise<void> {
    return this.settle('requeue')
  }

  /** Not wanted: to the dead-letter exchange where there is one, else gone. */
  drop(): Promise<void> {
    return this.settle('drop')
  }
}
