/** Lamport's logical clock: orders what happens in several processes without trusting their wall clocks. */

export class LamportClock {
  #value: number

  constructor(value = 0) {
    this.#value = value
  }

  get value(): number {
    return this.#value
  }

  /** Before something is sent: one more. */
  forward(): number {
    return ++this.#value
  }

  /** After something was received: later than both. Passes over what is no clock. */
  adjust(other: unknown): number {
    if (typeof other === 'number' && Number.isSafeInteger(other))
      this.#value = Math.max(this.#value, other)
    return ++this.#value
  }
}
