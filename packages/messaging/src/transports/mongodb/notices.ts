/**
 * Wakes those who wait. Whoever stores something leaves a notice in a small capped collection, which every
 * session that waits reads to its end and beyond. Python peers leave none: what they send is found by a
 * look once in a while.
 */
import type { MongoLink } from '../../clients/mongodb.ts'
import { sleep, type Clock } from '../../kernel/clock.ts'
import type { Names } from './schema.ts'
import { Tail } from './tail.ts'

/** How long the server holds a question before it says that there is nothing. */
const awaitMs = 4000
/** Notices of this time leave together. */
const gatherMs = 10
/** Where the server does not bound the collection: how old notices may get. */
const keptMs = 3000

interface Waiter {
  readonly queues: readonly string[]
  readonly wake: () => void
}

export class Notices {
  readonly #link: MongoLink
  readonly #names: Names
  readonly #clock: Clock
  readonly #pollMs: number
  readonly #waiters = new Set<Waiter>()
  readonly #onFanout = new Set<() => void>()
  #pending: Set<string> | undefined
  #listening = false

  constructor(link: MongoLink, names: Names, clock: Clock, pollMs: number) {
    this.#link = link
    this.#names = names
    this.#clock = clock
    this.#pollMs = pollMs
  }

  /** These queues got something. Others hear of it a moment later; it never fails. */
  tell(queues: Iterable<string>): void {
    const told = new Set(queues)
    if (told.size === 0) return
    this.#wake(told)
    if (this.#pending) {
      for (const queue of told) this.#pending.add(queue)
      return
    }
    this.#pending = new Set()
    this.#send(told)
    this.#clock.after(gatherMs, () => this.#flush(), { background: true })
  }

  /** Resolves when one of the queues may have something, or when `signal` aborts. */
  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    this.listen()
    let wake!: () => void
    const woken = new Promise<void>((resolve) => (wake = resolve))
    // Registered before looking: news that come in between must not be missed.
    const waiter = { queues, wake }
    this.#waiters.add(waiter)
    signal.addEventListener('abort', wake, { once: true })
    try {
      while (!signal.aborted && !this.#link.isOver) {
        if (await this.#hasAny(queues)) return
        const pause = new AbortController()
        const poll = sleep(this.#clock, this.#pollMs, pause.signal).then(() => true)
        const again = await Promise.race([woken.then(() => false), poll])
        pause.abort()
        if (!again) return
      }
    } finally {
      this.#waiters.delete(waiter)
      signal.removeEventListener('abort', wake)
    }
  }

  /** Calls `look` when a fanout was published, and once in a while; the returned function ends it. */
  onFanout(look: () => void): () => void {
    this.#onFanout.add(look)
    this.listen()
    let cancel = (): void => undefined
    const again = (): void => {
      cancel = this.#clock.after(
        this.#pollMs,
        () => {
          if (this.#link.isOver) return
          look()
          again()
        },
        { background: true },
      )
    }
    again()
    return () => {
      cancel()
      this.#onFanout.delete(look)
    }
  }

  /** Removes what is old where the server does not. */
  async tidy(): Promise<void> {
    if (this.#link.isAtomic) return
    const old = { at: { $lt: new Date(this.#clock.now() - keptMs) } }
    await this.#link.run('tidy', () => this.#link.collection(this.#names.notices).deleteMany(old))
  }

  /** Everyone who waits looks again. */
  wakeAll(): void {
    for (const { wake } of this.#waiters) wake()
    for (const look of this.#onFanout) look()
  }

  /** Reads the notices from now on. */
  listen(): void {
    if (this.#listening) return
    this.#listening = true
    // The link reports by itself when it breaks under the tail.
    void this.#follow().catch(() => undefined)
  }

  async #follow(): Promise<void> {
    const tail = new Tail(this.#link, this.#names.notices, awaitMs)
    while (!this.#link.isOver) {
      // An empty collection has no end to wait at.
      await this.#insert([])
      await tail.open()
      // What came before is not told again.
      this.wakeAll()
      while (tail.isOpen && !this.#link.isOver) {
        const found = await tail.more()
        this.#wake(new Set(found.flatMap(({ queues }) => (queues ?? []) as string[])))
      }
      // Not to spin on a server that closes every tail.
      await sleep(this.#clock, 50, undefined, { background: true })
    }
  }

  #wake(told: ReadonlySet<string>): void {
    if (told.size === 0) return
    for (const { queues, wake } of this.#waiters) if (queues.some((q) => told.has(q))) wake()
    if (told.has(fanoutNotice)) for (const look of this.#onFanout) look()
  }

  #flush(): void {
    const pending = this.#pending
    this.#pending = undefined
    if (!pending || pending.size === 0 || this.#link.isOver) return
    this.#pending = new Set()
    this.#send(pending)
    this.#clock.after(gatherMs, () => this.#flush(), { background: true })
  }

  #send(told: ReadonlySet<string>): void {
    // Whoever waits finds the message a moment later by itself.
    void this.#insert([...told]).catch(() => undefined)
  }

  async #insert(queues: readonly string[]): Promise<void> {
    const notice = { queues: [...queues], at: new Date(this.#clock.now()) }
    await this.#link.run('notice', () =>
      this.#link.collection(this.#names.notices).insertOne(notice, { writeConcern: { w: 1 } }),
    )
  }

  async #hasAny(queues: readonly string[]): Promise<boolean> {
    const messages = this.#link.collection(this.#names.messages)
    const filter = { queue: queues.length === 1 ? queues[0] : { $in: [...queues] } }
    const found = await this.#link.run('look', () =>
      messages.findOne(filter, { projection: { _id: 1 } }),
    )
    return found !== null
  }
}

/** Stands for the broadcast collection; no queue has an empty name. */
export const fanoutNotice = ''
