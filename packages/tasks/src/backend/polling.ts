/** `subscribe` for stores that cannot notify: looks again and again, less often the longer it takes. */
import type { Clock } from '@celeriac/messaging'
import { isDeepStrictEqual } from 'node:util'
import type { StoredData } from './backend.ts'

const firstMs = 10
const longestMs = 500

/** One poller for all ids somebody waits for, so that waiting for many costs one read a round. */
export class Polling {
  readonly #read: (ids: readonly string[]) => Promise<readonly (StoredData | undefined)[]>
  readonly #clock: Clock
  readonly #waiting = new Map<string, { seen: StoredData | undefined; listeners: Set<Listener> }>()
  #pauseMs = firstMs
  #cancel: (() => void) | undefined

  constructor(
    read: (ids: readonly string[]) => Promise<readonly (StoredData | undefined)[]>,
    clock: Clock,
  ) {
    this.#read = read
    this.#clock = clock
  }

  /** Calls `onData` with each record that differs from the last one seen. */
  subscribe(id: string, onData: Listener): () => void {
    let entry = this.#waiting.get(id)
    if (!entry) this.#waiting.set(id, (entry = { seen: undefined, listeners: new Set() }))
    const { listeners } = entry
    listeners.add(onData)
    this.#pauseMs = firstMs
    this.#cancel?.()
    this.#again()
    return () => {
      listeners.delete(onData)
      if (listeners.size === 0) this.#waiting.delete(id)
      if (this.#waiting.size === 0) this.stop()
    }
  }

  /** Somebody rang: look now. */
  lookNow(): void {
    if (this.#waiting.size === 0) return
    this.#cancel?.()
    void this.#look()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #again(): void {
    this.#cancel = this.#clock.after(this.#pauseMs, () => void this.#look())
    this.#pauseMs = Math.min(this.#pauseMs * 1.5, longestMs)
  }

  async #look(): Promise<void> {
    this.#cancel = undefined
    const ids = [...this.#waiting.keys()]
    try {
      const found = await this.#read(ids)
      for (const [i, id] of ids.entries()) {
        const entry = this.#waiting.get(id)
        const data = found[i]
        if (!entry || data === undefined || isDeepStrictEqual(data, entry.seen)) continue
        entry.seen = data
        for (const listener of entry.listeners) listener(data)
      }
    } catch {
      // The store is away; those who wait have their own deadline.
    }
    if (this.#waiting.size > 0 && !this.#cancel) this.#again()
  }
}

type Listener = (data: StoredData) => void
