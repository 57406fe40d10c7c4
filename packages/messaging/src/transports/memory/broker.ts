/** What one in-process broker holds, shared by every session of its name. */
import type { Binding } from '../../topology/binding.ts'
import type { Exchange } from '../../topology/exchange.ts'

export interface Held {
  readonly receipt: string
  readonly queue: string
  readonly text: string
  readonly priority: number
  /** Deliveries so far; written at each take. */
  attempts: number
}

export class MemoryBroker {
  readonly exchanges = new Map<string, Exchange>()
  readonly bindings = new Map<string, Binding[]>()
  readonly declared = new Set<string>()
  readonly #waiting = new Map<string, Held[]>()
  readonly #delayed: { readonly dueMs: number; readonly held: Held }[] = []
  readonly #listeners = new Set<(queue: string) => void>()
  #sequence = 0

  nextReceipt(): string {
    return String(++this.#sequence)
  }

  /** Rear: behind messages of its priority; front: before them. */
  put(held: Held, front: boolean): void {
    let list = this.#waiting.get(held.queue)
    if (!list) this.#waiting.set(held.queue, (list = []))
    // Sorted by priority, highest first; nearly always the place is the end.
    let at = list.length
    while (
      at > 0 &&
      (front ? list[at - 1]!.priority <= held.priority : list[at - 1]!.priority < held.priority)
    )
      at--
    list.splice(at, 0, held)
    for (const listener of this.#listeners) listener(held.queue)
  }

  take(queue: string, max: number): Held[] {
    const list = this.#waiting.get(queue)
    if (!list) return []
    const taken = list.splice(0, max)
    if (list.length === 0) this.#waiting.delete(queue)
    return taken
  }

  /** Highest priority waiting, undefined when the queue is empty. */
  urgency(queue: string): number | undefined {
    return this.#waiting.get(queue)?.[0]?.priority
  }

  count(queue: string): number {
    return this.#waiting.get(queue)?.length ?? 0
  }

  purge(queue: string): number {
    const count = this.count(queue)
    this.#waiting.delete(queue)
    return count
  }

  delay(held: Held, dueMs: number): void {
    const at = this.#delayed.findIndex((other) => other.dueMs > dueMs)
    this.#delayed.splice(at < 0 ? this.#delayed.length : at, 0, { dueMs, held })
  }

  /** Puts back what is due; the answer is how many, and when the next one is. */
  release(nowMs: number): { restored: number; nextDueMs: number | undefined } {
    let restored = 0
    while (this.#delayed.length > 0 && this.#delayed[0]!.dueMs <= nowMs) {
      this.put(this.#delayed.shift()!.held, true)
      restored++
    }
    const next = this.#delayed[0]
    return { restored, nextDueMs: next && next.dueMs - nowMs }
  }

  listen(listener: (queue: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
