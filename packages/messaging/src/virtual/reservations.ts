/**
 * What one channel has handed out and not yet settled, and how much more it may: the emulation of
 * prefetch. Written by the pump (add) and by settling (remove), read by the pump.
 */
import type { Taken } from './store.ts'

export class Reservations {
  readonly #held = new Set<Taken>()
  #limit = 0
  #onRoom: () => void = () => undefined

  /** 0 means no limit. */
  setLimit(limit: number): void {
    this.#limit = limit
    this.#onRoom()
  }

  /** Called whenever there may be room again. */
  onRoom(listener: () => void): void {
    this.#onRoom = listener
  }

  get size(): number {
    return this.#held.size
  }

  [Symbol.iterator](): Iterator<Taken> {
    return this.#held.values()
  }

  /** How many more may be handed out now. */
  get room(): number {
    return this.#limit === 0 ? Infinity : Math.max(0, this.#limit - this.#held.size)
  }

  add(taken: Taken): void {
    this.#held.add(taken)
  }

  /** False when it is not held (any more). */
  remove(taken: Taken): boolean {
    const was = this.#held.delete(taken)
    if (was) this.#onRoom()
    return was
  }

  /** Everything held, and holds nothing from now on. */
  drain(): Taken[] {
    const all = [...this.#held]
    this.#held.clear()
    return all
  }
}
