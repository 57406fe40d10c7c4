/**
 * Deliveries that wait in this worker for their hour, where the broker cannot hold them: one sorted list
 * and one timer, however many they are.
 */
import type { Clock, Delivery } from '@celeriac/messaging'

interface Held {
  readonly untilMs: number
  readonly delivery: Delivery
}

export class Holds {
  readonly #clock: Clock
  readonly #onDue: (deliveries: Delivery[]) => void
  /** Latest first, so that the next one due is at the end. */
  readonly #held: Held[] = []
  #cancel: (() => void) | undefined
  #timerMs = Infinity

  constructor(clock: Clock, onDue: (deliveries: Delivery[]) => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  get size(): number {
    return this.#held.length
  }

  add(delivery: Delivery, untilMs: number): void {
    let low = 0
    let high = this.#held.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#held[middle]!.untilMs > untilMs) low = middle + 1
      else high = middle
    }
    this.#held.splice(low, 0, { untilMs, delivery })
    this.#arm()
  }

  /** Everything that waits, and nothing waits any more. */
  drain(): Delivery[] {
    this.#cancel?.()
    this.#timerMs = Infinity
    return this.#held.splice(0).map(({ delivery }) => delivery)
  }

  #arm(): void {
    const next = this.#held.at(-1)
    if (!next || next.untilMs >= this.#timerMs) return
    this.#cancel?.()
    this.#timerMs = next.untilMs
    this.#cancel = this.#clock.after(next.untilMs - this.#clock.now(), () => this.#release())
  }

  #release(): void {
    this.#timerMs = Infinity
    const now = this.#clock.now()
    const due: Delivery[] = []
    while (this.#held.length > 0 && this.#held.at(-1)!.untilMs <= now)
      due.push(this.#held.pop()!.delivery)
    this.#arm()
    if (due.length > 0) this.#onDue(due)
  }
}
