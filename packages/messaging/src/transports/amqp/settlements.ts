/**
 * What is out on a channel and how it is settled. Acknowledgements are collected, and leave as one
 * `multiple` where they are everything up to a message: a frame for each costs the broker more than the
 * message itself.
 */
import type { ConfirmChannel, Message } from 'amqplib/callback_api'
import type { Clock } from '../../kernel/clock.ts'
import { TurnBatch } from '../../kernel/turn-batch.ts'

export type Settling = 'ack' | 'back' | 'drop'

interface Entry {
  readonly tag: number
  readonly how: Settling
}

/**
 * Longest stay of an acknowledgement that the broker does not need yet, because its window has room.
 * Nobody waits for it: AMQP does not answer acknowledgements.
 */
const stayMs = 1
/** Acknowledgements that are enough for a frame, where the window has no limit. */
const plenty = 50

export class Settlements {
  readonly #channel: ConfirmChannel
  readonly #clock: Clock
  /** Called when there is room for more. */
  readonly #onSettled: () => void
  /** Tags that are out, oldest first. */
  readonly #out = new Set<number>()
  /** Those of them that were fetched one by one, which no window counts. */
  readonly #fetched = new Set<number>()
  /** Those of them that are acknowledged and not sent. */
  readonly #acked = new Set<number>()
  readonly #batch: TurnBatch<Entry, void>
  #enough = plenty
  #cancelTimer: (() => void) | undefined

  constructor(channel: ConfirmChannel, clock: Clock, onSettled: () => void) {
    this.#channel = channel
    this.#clock = clock
    this.#onSettled = onSettled
    this.#batch = new TurnBatch((entries) => this.#settle(entries))
  }

  /** Deliveries to consumers that are not settled. */
  get size(): number {
    return this.#out.size - this.#acked.size - this.#fetched.size
  }

  /** Deliveries that were fetched one by one and are not settled. */
  get fetched(): number {
    return this.#fetched.size
  }

  /** The window of the channel: of a quarter of it the broker is told at once. */
  setWindow(limit: number): void {
    this.#enough = limit === 0 ? plenty : Math.max(1, Math.min(plenty, Math.floor(limit / 4)))
  }

  add(tag: number, isFetched = false): void {
    this.#out.add(tag)
    if (isFetched) this.#fetched.add(tag)
  }

  has(tag: number): boolean {
    return this.#out.has(tag)
  }

  settle(tag: number, how: Settling): Promise<void> {
    return this.#batch.add({ tag, how }).done
  }

  /** Sends everything that was settled so far. */
  flush(): void {
    this.#batch.flushNow()
    this.#sendAcks()
  }

  /** Everything is the broker's again. */
  clear(): void {
    this.#out.clear()
    this.#fetched.clear()
    this.#acked.clear()
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  // oxlint-disable-next-line require-await -- an exception must become a rejection
  async #settle(entries: readonly Entry[]): Promise<void> {
    for (const { tag, how } of entries) {
      if (!this.#out.has(tag)) continue
      this.#fetched.delete(tag)
      if (how === 'ack') this.#acked.add(tag)
      else {
        this.#out.delete(tag)
        if (how === 'back') this.#channel.nack(at(tag), false, true)
        else this.#channel.reject(at(tag), false)
      }
    }
    if (this.#acked.size >= this.#enough) this.#sendAcks()
    else if (this.#acked.size > 0) {
      this.#cancelTimer ??= this.#clock.after(stayMs, () => this.#sendAcks(), { background: true })
    }
    this.#onSettled()
  }

  #sendAcks(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#acked.size === 0) return
    let last = 0
    let run = 0
    for (const tag of this.#out) {
      if (!this.#acked.has(tag)) break
      last = tag
      run++
    }
    // Nothing that is out is older than these, so one frame says it all.
    if (run > 1) this.#channel.ack(at(last), true)
    for (const tag of this.#acked) {
      this.#out.delete(tag)
      if (run < 2 || tag > last) this.#channel.ack(at(tag), false)
    }
    this.#acked.clear()
  }
}

/** amqplib wants the message; it reads no more of it than the tag. */
function at(deliveryTag: number): Message {
  return { fields: { deliveryTag } } as Message
}
