/**
 * Collects everything that is asked for in one turn of the event loop and does it at once. System
 * calls cost more than the work on a message, so publishes, claims and acknowledgements all pass
 * through here before they reach a socket.
 */

export class TurnBatch<T, R> {
  #items: T[] = []
  #current: { promise: Promise<R>; resolve: (value: R | Promise<R>) => void } | undefined
  readonly #flush: (items: readonly T[]) => Promise<R>
  readonly #limit: number

  /** `flush` gets at most `limit` items, in the order they were added. */
  constructor(flush: (items: readonly T[]) => Promise<R>, limit = 1000) {
    this.#flush = flush
    this.#limit = limit
  }

  /** Items that wait for the end of this turn. */
  get waiting(): number {
    return this.#items.length
  }

  /** Adds an item; `done` is shared by the whole batch, `index` is the item's place in it. */
  add(item: T): { readonly done: Promise<R>; readonly index: number } {
    if (!this.#current) {
      let resolve!: (value: R | Promise<R>) => void
      const promise = new Promise<R>((r) => (resolve = r))
      this.#current = { promise, resolve }
      setImmediate(() => this.flushNow())
    }
    const place = { done: this.#current.promise, index: this.#items.push(item) - 1 }
    if (this.#items.length >= this.#limit) this.flushNow()
    return place
  }

  /** Sends what waits now instead of at the end of the turn. */
  flushNow(): void {
    const current = this.#current
    if (!current) return
    const items = this.#items
    this.#items = []
    this.#current = undefined
    // An exception of flush becomes the rejection of every item's promise.
    current.resolve(
      new Promise<R>((resolve, reject) => {
        this.#flush(items).then(resolve, reject)
      }),
    )
  }
}
