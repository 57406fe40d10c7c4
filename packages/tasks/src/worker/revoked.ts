/** Ids that must not run any more; bounded by number and by age. Celery keeps 50,000 for three hours. */
import type { Clock } from '@celeriac/messaging'

const most = 50_000
const longestMs = 10_800_000

export class Revoked {
  readonly #clock: Clock
  /** In the order they came, so that the oldest go first. */
  readonly #ids = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(id: string): void {
    this.#ids.delete(id)
    this.#ids.set(id, this.#clock.monotonic())
    const now = this.#clock.monotonic()
    for (const [oldest, sinceMs] of this.#ids) {
      if (this.#ids.size <= most && now - sinceMs < longestMs) break
      this.#ids.delete(oldest)
    }
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  get ids(): readonly string[] {
    return [...this.#ids.keys()]
  }
}
