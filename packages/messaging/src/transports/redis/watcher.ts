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

  /** Everyone who waits looks again. */
  wake(): void {
    for (const done of this.#waiting) done()
  }

  /**
   * Resolves when one of the keys may exist, at once when one does, or when `signal` aborts. Each group of
   * keys is asked for by itself: the slots of a cluster do not mix.
   */
  async wait(groups: readonly (readonly string[])[], signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    let done!: () => void
    const woken = new Promise<void>((resolve) => (done = resolve))
    // Registered before looking: a notice that overtakes the answer must not be missed.
    this.#waiting.add(done)
    signal.addEventListener('abort', done, { once: true })
    try {
      this.#cork.hold()
      if (groups.every((keys) => keys.length === 0)) return await woken
      if (this.#tracks) {
        // All in one: a link that breaks now rejects each, and none may go unheard.
        const asked = groups.map(async (keys) => {
          const caching = this.#client.call('CLIENT', 'CACHING', 'YES')
          return (await Promise.all([this.#client.exists(...keys), caching]))[0]
        })
        if ((await Promise.all(asked)).every((found) => found === 0)) await woken
        return
      }
      while (!signal.aborted) {
        const found = await Promise.all(groups.map((keys) => this.#client.exists(...keys)))
        if (found.some((count) => count > 0)) return
        await sleep(this.#clock, pollMs, signal, { background: true })
      }
    } finally {
      this.#waiting.delete(done)
      signal.removeEventListener('abort', done)
    }
  }
}
