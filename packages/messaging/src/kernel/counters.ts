/** What a connection did, counted: for metrics, and for those who want to know whether anything moves. */

export interface Counts {
  /** Confirmed by the broker. */
  readonly published: number
  /** Refused, or not confirmed by their deadline. */
  readonly unpublished: number
  readonly delivered: number
  /** Of the delivered, those that had been delivered before. */
  readonly redelivered: number
  readonly acked: number
  /** Given back to their queue: requeued, restored or delayed. */
  readonly requeued: number
  readonly dropped: number
  /** Links opened after the first. */
  readonly reconnected: number
}

/** Told by producers, consumers and the connection; read by anybody. */
export class Counters {
  readonly #counts: { -readonly [K in keyof Counts]: number } = {
    published: 0,
    unpublished: 0,
    delivered: 0,
    redelivered: 0,
    acked: 0,
    requeued: 0,
    dropped: 0,
    reconnected: 0,
  }
  readonly #onCount: (what: keyof Counts, count: number) => void

  constructor(onCount: (what: keyof Counts, count: number) => void = () => undefined) {
    this.#onCount = onCount
  }

  add(what: keyof Counts, count = 1): void {
    if (count === 0) return
    this.#counts[what] += count
    this.#onCount(what, count)
  }

  /** A copy of the counts as they are now. */
  get counts(): Counts {
    return { ...this.#counts }
  }
}
