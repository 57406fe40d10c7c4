/**
 * What is out on a channel and how it is settled: acknowledgements of one turn leave together, as one
 * `multiple` where they are everything up to a message. A packet for each costs the broker more than the
 * message itself.
 */
import type { ConfirmChannel, Message } from 'amqplib/callback_api'
import { TurnBatch } from '../../kernel/turn-batch.ts'

export type Settling = 'ack' | 'back' | 'drop'

interface Entry {
  readonly tag: number
  readonly how: Settling
}

export class Settlements {
  readonly #channel: ConfirmChannel
  /** Tags that are out, oldest first. */
  readonly #out = new Set<number>()
  readonly #batch: TurnBatch<Entry, void>
  /** Called when there is room for more. */
  readonly #onSent: () => void

  constructor(channel: ConfirmChannel, onSent: () => void) {
    this.#channel = channel
    this.#onSent = onSent
    this.#batch = new TurnBatch((entries) => this.#send(entries))
  }

  /** Deliveries that are not settled, those that wait for the end of the turn included. */
  get size(): number {
    return this.#out.size
  }

  add(tag: number): void {
    this.#out.add(tag)
  }

  has(tag: number): boolean {
    return this.#out.has(tag)
  }

  settle(tag: number, how: Settling): Promise<void> {
    return this.#batch.add({ tag, how }).done
  }

  flush(): void {
    this.#batch.flushNow()
  }

  /** Everything is the broker's again. */
  clear(): void {
    this.#out.clear()
  }

  // eslint-disable-next-line typescript/require-await -- an exception must become a rejection
  async #send(entries: readonly Entry[]): Promise<void> {
    const acked = new Set<number>()
    for (const { tag, how } of entries) {
      if (!this.#out.has(tag)) continue
      if (how === 'ack') acked.add(tag)
      else {
        this.#out.delete(tag)
        if (how === 'back') this.#channel.nack(at(tag), false, true)
        else this.#channel.reject(at(tag), false)
      }
    }
    this.#ack(acked)
    this.#onSent()
  }

  #ack(acked: Set<number>): void {
    let last = 0
    let run = 0
    for (const tag of this.#out) {
      if (!acked.has(tag)) break
      last = tag
      run++
    }
    // What is out and older than these is nothing, so one frame says it all.
    if (run > 1) this.#channel.ack(at(last), true)
    for (const tag of acked) {
      this.#out.delete(tag)
      if (run < 2 || tag > last) this.#channel.ack(at(tag), false)
    }
  }
}

/** amqplib wants the message; it reads no more of it than the tag. */
function at(deliveryTag: number): Message {
  return { fields: { deliveryTag } } as Message
}
