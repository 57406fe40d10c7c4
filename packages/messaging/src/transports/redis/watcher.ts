/**
 * The blocking peek: tells when one of several lists may have something, without taking it and without
 * polling. The server itself remembers which keys a client looked at and sends one notice when anybody
 * changes them (CLIENT TRACKING, Redis 6); BLMOVE would do for one list only, and a queue has four.
 */
import type { Cork, RedisClient } from '../../clients/redis.ts'
import type { Clock } from '../../kernel/clock.ts'
import { sleep } from '../../kernel/clock.ts'

const invalidations = '__redis__:invalidate'
/** Pause between looks where the server (or a proxy before it) cannot track. */
const pollMs = 250

export class Watcher {
  readonly #client: RedisClient
  readonly #subscriber: RedisClient
  readonly #cork: Cork
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()
  /** Names of what was found empty, and is watched since. */
  readonly #resting = new Set<string>()
  #notices = 0
  #tracks = false

  constructor(client: RedisClient, subscriber: RedisClient, cork: Cork, clock: Clock) {
    this.#client = client
    this.#subscriber = subscriber
    this.#cork = cork
    this.#clock = clock
  }

  /** False when the server cannot track: then the watcher polls. */
  get tracks(): boolean {
    return this.#tracks
  }

  async start(): Promise<void> {
    const id = await this.#subscriber.client('ID')
    await this.#subscriber.subscribe(invalidations)
    this.#subscriber.on('message', (channel: string) => {
      if (channel === invalidations) this.wake()
    })
    try {
      await this.#client.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id), 'OPTIN')
      this.#tracks = true
    } catch {
      // Older than 6.0, or a proxy in between: look again and again instead.
      this.#tracks = false
    }
  }

  /**
   * Looks whether these are empty, right behind what was sent before. If so, what goes by this name rests from then
   * on until there is a notice, of whatever.
   */
  async look(name: string, keys: readonly string[]): Promise<void> {
    if (!this.#tracks) return
    const seen = this.#notices
    try {
      const isEmpty = (await this.#exists(keys)) === 0
      if (isEmpty && seen === this.#notices) this.#resting.add(name)
    } catch {
      // What came before says the same of the link, and `wait` of who may not look.
    }
  }

  isResting(name: string): boolean {
    return this.#resting.has(name)
  }

  /** Resolves with the next notice, or when `signal` aborts. */
  async waitResting(signal: AbortSignal): Promise<void> {
    await this.#woken(signal, (woken) => woken)
  }

  /** Everyone who waits looks again. */
  wake(): void {
    this.#notices++
    this.#resting.clear()
    for (const done of this.#waiting) done()
  }

  /**
   * Resolves when one of the keys may exist, at once when one does, or when `signal` aborts. Each group of
   * keys is asked for by itself: the slots of a cluster do not mix.
   */
  async wait(groups: readonly (readonly string[])[], signal: AbortSignal): Promise<void> {
    await this.#woken(signal, async (woken) => {
      this.#cork.hold()
      if (groups.every((keys) => keys.length === 0)) return await woken
      if (!this.#tracks) return await this.#poll(groups, signal)
      const found = await Promise.all(groups.map((keys) => this.#exists(keys)))
      if (found.every((count) => count === 0)) await woken
    })
  }

  /** How many are there; when that changes, there is one notice. */
  async #exists(keys: readonly string[]): Promise<number> {
    const caching = this.#client.call('CLIENT', 'CACHING', 'YES')
    // Both at once: a link that breaks now rejects each, and neither may go unheard.
    return (await Promise.all([this.#client.exists(...keys), caching]))[0]
  }

  /** `look` is given what resolves with the next notice from now on: one that overtakes an answer counts. */
  async #woken(signal: AbortSignal, look: (woken: Promise<void>) => Promise<void>): Promise<void> {
    if (signal.aborted) return
    let done!: () => void
    const woken = new Promise<void>((resolve) => (done = resolve))
    this.#waiting.add(done)
    signal.addEventListener('abort', done, { once: true })
    try {
      await look(woken)
    } finally {
      this.#waiting.delete(done)
      signal.removeEventListener('abort', done)
    }
  }

  async #poll(groups: readonly (readonly string[])[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const found = await Promise.all(groups.map((keys) => this.#client.exists(...keys)))
      if (found.some((count) => count > 0)) return
      await sleep(this.#clock, pollMs, signal, { background: true })
    }
  }
}
