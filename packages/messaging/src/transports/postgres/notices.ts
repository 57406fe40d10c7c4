/**
 * Wakes who waits for a queue: LISTEN on one channel for each queue, so that nobody hears of queues that are
 * not his, and nothing is asked while nothing comes. A queue has news from its notice until somebody looks.
 */
import { createHash } from 'node:crypto'
import type { PostgresLink } from '../../clients/postgres.ts'
import type { Clock } from '../../kernel/clock.ts'

/** A look that was in the way of another's looks again after this long, and a bit more. */
const againMs = 5

interface Waiter {
  readonly queues: readonly string[]
  readonly wake: () => void
}

/** The channel of a queue: names of channels are shorter than names of queues may be. */
export function channelOf(schema: string, queue: string): string {
  const digest = createHash('sha256').update(schema).update('\0').update(queue).digest('hex')
  return `celeriac_${digest.slice(0, 40)}`
}

export class Notices {
  readonly #link: PostgresLink
  readonly #schema: string
  readonly #clock: Clock
  readonly #queues = new Map<string, string>()
  readonly #news = new Set<string>()
  readonly #waiters = new Set<Waiter>()
  #over = false

  constructor(link: PostgresLink, schema: string, clock: Clock) {
    this.#link = link
    this.#schema = schema
    this.#clock = clock
    link.onNotification((channel) => {
      const queue = this.#queues.get(channel)
      if (queue !== undefined) this.tell([queue])
    })
  }

  /** Queues somebody waits for now. */
  get awaited(): string[] {
    return [...new Set([...this.#waiters].flatMap(({ queues }) => queues))]
  }

  channels(queues: Iterable<string>): string[] {
    return [...new Set(queues)].map((queue) => channelOf(this.#schema, queue))
  }

  /** These may have something. */
  tell(queues: readonly string[]): void {
    for (const queue of queues) this.#news.add(queue)
    for (const { queues: wanted, wake } of this.#waiters) {
      if (wanted.some((queue) => this.#news.has(queue))) wake()
    }
  }

  /** As `tell`, in a moment: others hold what is there, and may let go of it. */
  tellSoon(queues: readonly string[]): void {
    this.#clock.after(againMs * (1 + Math.random()), () => this.tell(queues), { background: true })
  }

  /** Somebody looks at these now. */
  looking(queues: readonly string[]): void {
    for (const queue of queues) this.#news.delete(queue)
  }

  /** Nobody wants to hear of this queue any more. */
  async forget(queue: string): Promise<void> {
    const channel = channelOf(this.#schema, queue)
    this.#news.delete(queue)
    if (this.#queues.delete(channel)) await this.#link.run({ text: `UNLISTEN "${channel}"` })
  }

  /** Resolves when one of the queues has news, or when `signal` aborts. */
  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#over) return
    const unheard = queues.filter((queue) => !this.#queues.has(channelOf(this.#schema, queue)))
    if (unheard.length > 0) {
      const channels = this.channels(unheard)
      await this.#link.run({ text: channels.map((name) => `LISTEN "${name}"`).join(';') })
      for (const [i, queue] of unheard.entries()) this.#queues.set(channels[i]!, queue)
      // What came before we listened: the caller has to look once more.
      return
    }
    if (queues.some((queue) => this.#news.has(queue))) return
    await new Promise<void>((resolve) => {
      const waiter = { queues, wake: () => done() }
      const done = (): void => {
        this.#waiters.delete(waiter)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#waiters.add(waiter)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  /** Everybody who waits looks, and finds that the link is over. */
  end(): void {
    this.#over = true
    for (const { wake } of this.#waiters) wake()
  }
}
