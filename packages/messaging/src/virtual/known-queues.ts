/**
 * What a session knows of queues: as it declared them, or as the store remembers them. Publishing and
 * burying ask for each message, so answers are kept for a moment.
 */
import type { Clock } from '../kernel/clock.ts'
import type { Queue } from '../topology/queue.ts'
import type { MessageStore } from './store.ts'

/** How long an answer of the store counts; another session may declare the queue meanwhile. */
const freshMs = 5000
/** Names of queues come from outside as well (reply queues): those kept must not grow for ever. */
const limit = 10_000

interface Known {
  readonly queue: Queue | undefined
  /** By the monotonic clock; Infinity for what no store could tell. */
  readonly untilMs: number
}

export class KnownQueues {
  readonly #store: MessageStore
  readonly #clock: Clock
  readonly #known = new Map<string, Known>()

  constructor(store: MessageStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Declared or looked up; without a store that remembers, what this session declared. */
  get(name: string): Queue | undefined | Promise<Queue | undefined> {
    const known = this.#known.get(name)
    if (known && known.untilMs > this.#clock.monotonic()) return known.queue
    if (!this.#store.findQueue) return undefined
    return this.#store.findQueue(name).then((queue) => this.set(name, queue))
  }

  set(name: string, queue: Queue | undefined): Queue | undefined {
    this.#known.delete(name)
    // What is not known counts as declared without arguments.
    if (!this.#store.findQueue && queue?.arguments['x-message-ttl'] === undefined) return queue
    if (this.#known.size >= limit) this.#known.delete(this.#known.keys().next().value!)
    const untilMs = this.#store.findQueue ? this.#clock.monotonic() + freshMs : Infinity
    this.#known.set(name, { queue, untilMs })
    return queue
  }

  forget(name: string): void {
    this.#known.delete(name)
  }
}
