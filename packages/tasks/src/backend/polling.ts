/** `subscribe` for stores that cannot notify: looks again and again, less often the longer it takes. */
import type { Clock } from '@celeriac/messaging'
import { isDeepStrictEqual } from 'node:util'
import type { StoredData } from './backend.ts'

const firstMs = 10
const longestMs = 500
/** Of the time that passes, looking takes this part at most. */
const share = 4

/** One poller for all ids somebody waits for, so that waiting for many costs one read a round. */
export class Polling {
  readonly #read: (ids: readonly string[]) => Promise<readonly (StoredData | undefined)[]>
  readonly #clock: Clock
  readonly #waiting = new Map<string, { seen: StoredData | undefined; listeners: Set<Listener> }>()
  #pauseMs = firstMs
  #cancel: (() => void) | undefined
  #isLooking = false
  #isClosed = false
  /** What is to be looked at once the present look is over. */
  #rung: Set<string> | 'all' | undefined
  /** What was told of in this turn of the event loop. */
  readonly #told = new Set<string>()

  constructor(
    read: (ids: readonly string[]) => Promise<readonly (StoredData | undefined)[]>,
    clock: Clock,
  ) {
    this.#read = read
    this.#clock = clock
  }

  /** True while somebody waits for it. */
  has(id: string): boolean {
    return this.#waiting.has(id)
  }

  /** Calls `onData` with each record that differs from the last one seen. */
  subscribe(id: string, onData: Listener): () => void {
    let entry = this.#waiting.get(id)
    if (!entry) this.#waiting.set(id, (entry = { seen: undefined, listeners: new Set() }))
    const { listeners } = entry
    listeners.add(onData)
    this.#pauseMs = firstMs
    this.#cancel?.()
    this.#again(0)
    return () => {
      listeners.delete(onData)
      if (listeners.size === 0 && this.#waiting.get(id)?.listeners === listeners)
        this.#waiting.delete(id)
      if (this.#waiting.size === 0) this.#stop()
    }
  }

  /** Somebody rang: look now, at these or at all that are awaited. */
  lookNow(ids?: readonly string[]): void {
    const awaited = ids?.filter((id) => this.#waiting.has(id))
    if (this.#waiting.size === 0 || awaited?.length === 0) return
    if (this.#isLooking) {
      if (!awaited || this.#rung === 'all') this.#rung = 'all'
      else this.#rung = new Set([...(this.#rung ?? []), ...awaited])
      return
    }
    if (!awaited) this.#stop()
    void this.#look(awaited)
  }

  /** Told of one, perhaps several times: all that this turn tells of are looked at together. */
  lookSoon(id: string): void {
    if (!this.#waiting.has(id)) return
    if (this.#told.size === 0) {
      setImmediate(() => {
        const ids = [...this.#told]
        this.#told.clear()
        this.lookNow(ids)
      })
    }
    this.#told.add(id)
  }

  /** Ends all looking, also what would follow a look that is under way; who waits is not told. */
  close(): void {
    this.#isClosed = true
    this.#waiting.clear()
    this.#stop()
  }

  #stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #again(tookMs: number): void {
    if (this.#isClosed) return
    const ms = Math.max(this.#pauseMs, tookMs * share)
    this.#cancel = this.#clock.after(ms, () => {
      this.#cancel = undefined
      // One look at a time: of two the older could be told last.
      if (this.#isLooking) this.#rung = 'all'
      else void this.#look()
    })
    this.#pauseMs = Math.min(this.#pauseMs * 1.5, longestMs)
  }

  async #look(some?: readonly string[]): Promise<void> {
    this.#isLooking = true
    const began = this.#clock.monotonic()
    const ids = some ?? [...this.#waiting.keys()]
    try {
      const found = await this.#read(ids)
      for (const [i, id] of ids.entries()) this.#tell(id, found[i])
    } catch {
      // The store is away; those who wait have their own deadline.
    }
    this.#isLooking = false
    if (this.#waiting.size === 0) return
    const rung = this.#rung
    this.#rung = undefined
    if (rung) this.lookNow(rung === 'all' ? undefined : [...rung])
    if (!this.#isLooking && !this.#cancel) this.#again(this.#clock.monotonic() - began)
  }

  #tell(id: string, data: StoredData | undefined): void {
    const entry = this.#waiting.get(id)
    if (!entry || data === undefined || isDeepStrictEqual(data, entry.seen)) return
    entry.seen = data
    for (const listener of entry.listeners) listener(data)
  }
}

type Listener = (data: StoredData) => void
