/**
 * Fetches for one channel: takes as much as its window has room for, fairly over its queues, and waits
 * at the store when there is nothing. One claim is under way at a time; what became free meanwhile goes
 * into the next, so that claims grow with the load and stay small without it.
 */
import type { Taken } from './store.ts'

export interface PumpSource {
  take(queues: readonly string[], max: number): Promise<Taken[]>
  isResting?(queues: readonly string[]): boolean
  wait(queues: readonly string[], signal: AbortSignal): Promise<void>
}

/** The most one claim asks for, so that a burst is shared with other consumers. */
const batchLimit = 256

export class Pump {
  readonly #source: PumpSource
  readonly #room: () => number
  readonly #onTaken: (taken: Taken[]) => void
  readonly #onFault: (error: unknown) => void
  #queues: string[] = []
  #stopped = false
  #running = false
  /** Ends the wait at the store; used again until then. */
  #abort = new AbortController()
  #isWaiting = false
  #resume: (() => void) | undefined
  #current: Promise<void> = Promise.resolve()

  constructor(
    source: PumpSource,
    room: () => number,
    onTaken: (taken: Taken[]) => void,
    onFault: (error: unknown) => void,
  ) {
    this.#source = source
    this.#room = room
    this.#onTaken = onTaken
    this.#onFault = onFault
  }

  /** The queues to fetch from now on; an empty list pauses. */
  setQueues(queues: readonly string[]): void {
    this.#queues = [...queues]
    this.wake()
    if (!this.#running && !this.#stopped && queues.length > 0) {
      this.#running = true
      this.#current = this.#run().catch((error: unknown) => {
        if (!this.#stopped) this.#onFault(error)
      })
    }
  }

  /** There is room again, or the queues changed. */
  wake(): void {
    if (this.#isWaiting) {
      this.#abort.abort()
      this.#abort = new AbortController()
    }
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }

  /** There is room again; a wait at the store goes on, since it had room already. */
  roomAgain(): void {
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }

  /** Resolves when no claim is under way any more; nothing is handed out after that. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.wake()
    await this.#current
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const room = this.#room()
      if (room <= 0 || this.#queues.length === 0) {
        await new Promise<void>((resolve) => (this.#resume = resolve))
        // Everything settled in this turn counts before the next claim, and travels with it.
        await new Promise<void>((resolve) => setImmediate(resolve))
        continue
      }
      if (!this.#source.isResting?.(this.#queues)) {
        const taken = await this.#source.take(this.#queues, Math.min(room, batchLimit))
        if (taken.length > 0) {
          this.#rotate(taken)
          this.#onTaken(taken)
          continue
        }
        if (this.#stopped || this.#queues.length === 0) continue
      }
      this.#isWaiting = true
      try {
        await this.#source.wait(this.#queues, this.#abort.signal)
      } finally {
        this.#isWaiting = false
      }
    }
  }

  /** Round robin: the queue that was served last comes last. Kombu: utils/scheduling.py. */
  #rotate(taken: readonly Taken[]): void {
    if (this.#queues.length < 2) return
    const served = taken.at(-1)!.queue
    const at = this.#queues.indexOf(served)
    if (at >= 0) this.#queues.push(...this.#queues.splice(at, 1))
  }
}
