/** Time that moves when told; timers run in the order of their hour. */
import type { Clock } from '@celeriac/messaging'

export class ManualClock implements Clock {
  #now: number
  #timers = new Map<number, { at: number; run: () => void }>()
  #nextTimer = 0

  constructor(startMs = Date.parse('2024-01-01T00:00:00Z')) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const id = this.#nextTimer++
    this.#timers.set(id, { at: this.#now + Math.max(0, ms), run })
    return () => void this.#timers.delete(id)
  }

  /** Milliseconds until the next timer; undefined when there is none. */
  get waitMs(): number | undefined {
    const times = [...this.#timers.values()].map(({ at }) => at - this.#now)
    return times.length > 0 ? Math.min(...times) : undefined
  }

  /** Sets the clock without running timers, as a sleeping machine or a time server does. */
  jump(ms: number): void {
    this.#now += ms
  }

  /** Moves on, timer by timer, letting everything they start come to rest. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settled()
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a[1].at - b[1].at)[0]
      if (!next || next[1].at > end) break
      this.#timers.delete(next[0])
      this.#now = Math.max(this.#now, next[1].at)
      next[1].run()
      await settled()
    }
    this.#now = end
  }
}

/** Everything that needs no clock has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}
