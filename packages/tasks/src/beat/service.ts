/**
 * The loop of the scheduler: look, send what is due, remember, sleep. Every tick has an id that is the same
 * in all schedulers, and a tick that could not be sent stays due.
 */
import type { Ambient } from '@celeriac/messaging'
import { Signals, sleep } from '@celeriac/messaging/internal'
import type { BeatEntry, BeatTick } from './entry.ts'
import type { DueEntry, Scheduler } from './scheduler.ts'
import type { ScheduleStore } from './store.ts'

export interface BeatSignals {
  /** It looks after the schedule from now on, or no longer: another one leads. */
  readonly leading: { readonly isLeading: boolean }
  readonly sent: { readonly tick: BeatTick; readonly lateMs: number }
  /** It stays due and is tried again. */
  readonly failed: { readonly tick: BeatTick; readonly error: unknown }
  /** Ticks of this entry were missed for too long and are not made up for. */
  readonly leftOut: { readonly name: string }
  readonly storeFailed: { readonly error: unknown }
}

export interface BeatServiceOptions {
  readonly scheduler: Scheduler
  readonly store: ScheduleStore
  /** Sends one tick, with its id as the task's; rejects when that is not certain. */
  readonly send: (tick: BeatTick) => Promise<void>
  readonly ambient: Pick<Ambient, 'clock'>
  /** Longest sleep, milliseconds; default five minutes. */
  readonly maxSleepMs?: number
  /** Saves at once after so many ticks; 0, the default, within a second of each. */
  readonly syncEvery?: number
}

/** Celery waits three minutes; what is not saved in time is sent again after a crash. */
const SYNC_MS = 1000
const DEFAULT_SLEEP_MS = 300_000
/** Pause after something failed, and between two questions whether this one leads. */
const RETRY_MS = 1000

export class BeatService {
  readonly signals = new Signals<BeatSignals>()
  readonly #options: BeatServiceOptions
  #running: { readonly stop: AbortController; readonly done: Promise<void> } | undefined
  #starting: Promise<void> | undefined
  #sleeping: AbortController | undefined
  /** The schedule changed after the loop had looked at it. */
  #isStale = false
  #isLeading = false
  #unsaved = 0
  #savedMs = 0

  constructor(options: BeatServiceOptions) {
    this.#options = options
  }

  /** Opens the store and begins; rejects with the store's error. Safe to call twice. */
  start(): Promise<void> {
    this.#starting ??= this.#begin().catch((error: unknown) => {
      this.#starting = undefined
      throw error
    })
    return this.#starting
  }

  /** Ends after the ticks that are being sent, saves and closes the store. Safe to call twice, or first. */
  async stop(): Promise<void> {
    await this.#starting?.catch(() => undefined)
    const running = this.#running
    running?.stop.abort()
    this.#sleeping?.abort()
    await running?.done
    if (this.#running === running) this.#running = this.#starting = undefined
  }

  /** Adds or replaces an entry while running. */
  add(entry: BeatEntry): void {
    this.#options.scheduler.add(entry, this.#options.ambient.clock.now())
    this.#isStale = true
    this.#sleeping?.abort()
  }

  /** Saves now; the store's error is told by a signal. */
  async sync(): Promise<void> {
    const { store, scheduler, ambient } = this.#options
    this.#unsaved = 0
    this.#savedMs = ambient.clock.now()
    try {
      await store.save(scheduler.records())
    } catch (error) {
      this.signals.emit('storeFailed', { error })
    }
  }

  async #begin(): Promise<void> {
    const { store, ambient } = this.#options
    await store.open()
    this.#savedMs = ambient.clock.now()
    const stop = new AbortController()
    this.#running = { stop, done: this.#run(stop.signal) }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.ambient
    while (!signal.aborted) {
      this.#isStale = false
      const waitMs = await this.#step(signal)
      if (signal.aborted || this.#isStale) continue
      this.#sleeping = new AbortController()
      await sleep(clock, waitMs, this.#sleeping.signal)
      this.#sleeping = undefined
    }
    if (this.#isLeading) await this.sync()
    this.#isLeading = false
    await this.#options.store.close().catch((error: unknown) => {
      this.signals.emit('storeFailed', { error })
    })
  }

  /** One look; how long to sleep, in milliseconds. Never rejects. */
  async #step(signal: AbortSignal): Promise<number> {
    const { scheduler, ambient, maxSleepMs = DEFAULT_SLEEP_MS, store } = this.#options
    if (!(await this.#leads())) return RETRY_MS

    const { due } = scheduler.tick(ambient.clock.now())
    const sent = await Promise.all(due.map((one) => this.#sendEntry(one, signal)))
    const untilSyncMs = await this.#syncIfNeeded()
    if (sent.includes(false)) return RETRY_MS

    const nowMs = ambient.clock.now()
    const nextMs = scheduler.nextMs() ?? Infinity
    const longestMs = store.lead ? Math.min(maxSleepMs, RETRY_MS) : maxSleepMs
    return Math.max(0, Math.min(nextMs - nowMs, longestMs, untilSyncMs))
  }

  /** Asks the store who leads; a new leader goes on where the last one was. */
  async #leads(): Promise<boolean> {
    const { store, scheduler, ambient } = this.#options
    try {
      const isLeading = (await store.lead?.()) ?? true
      if (isLeading && !this.#isLeading) {
        scheduler.restore(await store.load(), ambient.clock.now())
        // New entries count from now, also after a crash.
        this.#unsaved++
      }
      if (isLeading !== this.#isLeading) this.signals.emit('leading', { isLeading })
      this.#isLeading = isLeading
      return isLeading
    } catch (error) {
      this.signals.emit('storeFailed', { error })
      this.#isLeading = false
      return false
    }
  }

  /** Sends the ticks of one entry in their order; false when one could not be sent. */
  async #sendEntry({ name, ticks, hasLeftOut }: DueEntry, signal: AbortSignal): Promise<boolean> {
    const { send, scheduler, ambient } = this.#options
    if (hasLeftOut) this.signals.emit('leftOut', { name })
    try {
      for (const tick of ticks) {
        if (signal.aborted) return true
        try {
          await send(tick)
        } catch (error) {
          this.signals.emit('failed', { tick, error })
          return false
        }
        scheduler.served(tick)
        this.#unsaved++
        this.signals.emit('sent', { tick, lateMs: ambient.clock.now() - tick.tickMs })
      }
      return true
    } finally {
      scheduler.settle(name)
    }
  }

  /** Saves when it is time; returns the milliseconds until it will be, Infinity when nothing is unsaved. */
  async #syncIfNeeded(): Promise<number> {
    const { syncEvery = 0, ambient, store } = this.#options
    if (this.#unsaved === 0) return Infinity
    const waitedMs = ambient.clock.now() - this.#savedMs
    // Whoever takes over must know what was served, so a shared store is told at once.
    const isShared = store.lead !== undefined
    const isMany = syncEvery > 0 && this.#unsaved >= syncEvery
    if (!isShared && !isMany && waitedMs < SYNC_MS) return SYNC_MS - waitedMs
    await this.sync()
    return Infinity
  }
}
