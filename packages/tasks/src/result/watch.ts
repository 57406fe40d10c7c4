/**
 * Results of some ids awaited as one: one deadline, one abort listener, reads that leave together, and
 * subscriptions that end with the result they are about, or with the waiting.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '@celeriac/messaging'
import type { ResultBackend, StoredData } from '../backend/backend.ts'
import { isAway } from '../backend/persist.ts'
import type { ResultRecord } from '../backend/result-record.ts'
import { TasksError, TimeoutError } from '../kernel/errors.ts'
import { isReady } from '../kernel/states.ts'

export interface WaitOptions {
  /** Seconds until `TimeoutError`; default for ever. */
  readonly timeout?: number | undefined
  /** Ends the waiting, not the task: it rejects with `TASKS_ABORTED`. */
  readonly signal?: AbortSignal | undefined
  /**
   * Seconds between calls of `onInterval`, default 0.5. Where the store cannot notify it is looked at so often at
   * least; others are told of results and need no looking.
   */
  readonly interval?: number | undefined
  /** Called again and again while waiting; what it throws ends the waiting. */
  readonly onInterval?: (() => void) | undefined
}

export interface WatchOptions extends WaitOptions {
  /** How many of the ids are results; those after them are only watched. */
  readonly required: number
  /** Of the first id every state is told once and in order; otherwise some may be missing. */
  readonly isExact?: boolean
  /** Read what is there before subscribing: for many ids of which most may be done. */
  readonly readsFirst?: boolean
}

export interface WatchEvents {
  /** The record of an id by its place: the last call is the final one. */
  onRecord(place: number, record: ResultRecord): void
  /** Called once at most. The watch is to be ended then, too. */
  onFail(error: unknown): void
}

/** What a watch looks at. */
export interface WatchSource {
  readonly clock: Clock
  /** All tasks have ended: what is not there will never be. */
  readonly isOver: boolean
  backend(): Promise<ResultBackend>
  read(id: string): Promise<ResultRecord | undefined>
  /** Repeats what fails because the store is away, until `isOver`. */
  patiently(look: () => Promise<void>, isOver: () => boolean): Promise<void>
  /** To be told when the app closes; the function returned ends that. */
  enlist(fail: (error: unknown) => void): () => void
}

const noticed = 1
const done = 2

export class Watch {
  readonly #source: WatchSource
  readonly #ids: readonly string[]
  readonly #events: WatchEvents
  readonly #options: WatchOptions
  readonly #marks: Uint8Array
  readonly #offs: ((() => void) | undefined)[] = []
  readonly #ends: (() => void)[] = []
  /** Notices that came before it is known what was stored before them. */
  #held: ResultRecord[] | undefined
  #last: ResultRecord | undefined
  #isEnded = false
  #hasFailed = false

  constructor(
    source: WatchSource,
    ids: readonly string[],
    events: WatchEvents,
    options: WatchOptions,
  ) {
    this.#source = source
    this.#ids = ids
    this.#events = events
    this.#options = options
    this.#marks = new Uint8Array(ids.length)
    if (options.isExact) this.#held = []
    this.#begin()
  }

  /** Ends everything it has begun. Safe to call twice. */
  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    for (const end of this.#ends) end()
    for (const off of this.#offs) off?.()
    this.#offs.length = 0
  }

  #begin(): void {
    const { timeout, signal, onInterval, interval } = this.#options
    const { clock, enlist, patiently } = this.#source
    const [first] = this.#ids
    const what = this.#ids.length === 1 ? first : `${first} and ${this.#ids.length - 1} more`
    this.#ends.push(enlist(this.#fail))
    if (signal) {
      const abort = (): void => {
        const cause = { cause: signal.reason as unknown }
        this.#fail(new TasksError('TASKS_ABORTED', `waiting for ${what} was ended`, cause))
      }
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      this.#ends.push(() => signal.removeEventListener('abort', abort))
    }
    if (timeout !== undefined) {
      const late = (): void =>
        this.#fail(new TimeoutError(`no result of ${what} within ${timeout} s`))
      this.#ends.push(clock.after(timeout * 1000, late))
    }
    if (onInterval || interval !== undefined) this.#beat((interval ?? 0.5) * 1000)
    // The deadline holds for subscribing and reading too: the store may be the one that hangs.
    patiently(
      () => this.#look(),
      () => this.#isEnded,
    ).catch(this.#fail)
  }

  readonly #fail = (error: unknown): void => {
    if (this.#hasFailed || this.#isEnded) return
    this.#hasFailed = true
    this.#events.onFail(error)
  }

  /** Places of which nothing final is known. */
  #open(): number[] {
    const open: number[] = []
    for (let i = 0; i < this.#ids.length; i++) if (!this.#is(i, done)) open.push(i)
    return open
  }

  #is(place: number, mark: number): boolean {
    return (this.#marks[place]! & mark) !== 0
  }

  async #look(): Promise<void> {
    const backend = await this.#source.backend()
    if (this.#options.readsFirst) await this.#read(this.#open(), true)
    const open = this.#open()
    await Promise.all(open.map((place) => this.#subscribe(backend, place)))
    if (this.#isEnded) return
    const [first] = await this.#read(open, false)
    if (this.#held) await this.#release(backend, first)
  }

  async #subscribe(backend: ResultBackend, place: number): Promise<void> {
    if (this.#offs[place] || this.#isEnded) return
    const off = await backend.subscribe(this.#ids[place]!, (data) =>
      this.#notice(backend, place, data),
    )
    if (this.#isEnded || this.#is(place, done)) off()
    else this.#offs[place] = off
  }

  #notice(backend: ResultBackend, place: number, data: StoredData): void {
    this.#marks[place]! |= noticed
    try {
      const record = backend.decode(data)
      if (this.#held && place === 0) this.#held.push(record)
      else this.#tell(place, record)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Tells what is stored; a notice that came meanwhile is newer. Gives the record of the first id. */
  async #read(places: readonly number[], finalOnly: boolean) {
    const { required } = this.#options
    const records = await Promise.all(places.map((i) => this.#source.read(this.#ids[i]!)))
    if (this.#isEnded) return []
    let missing: string | undefined
    for (const [i, record] of records.entries()) {
      const place = places[i]!
      if (!record) {
        if (place < required) missing ??= this.#ids[place]
      } else if (this.#held && place === 0) continue
      else if (isReady(record.status) || (!finalOnly && !this.#is(place, noticed)))
        this.#tell(place, record)
    }
    if (missing !== undefined && this.#source.isOver) {
      throw new TasksError(
        'TASKS_NOT_READY',
        `${missing} has ended without a result: it was ignored, rejected or replaced by nothing`,
      )
    }
    return records
  }

  /**
   * What was read is one of the states that were told, or older than all of them: a second subscription is
   * answered behind every notice about what was stored before the read.
   */
  async #release(backend: ResultBackend, stored: ResultRecord | undefined): Promise<void> {
    const end = await backend.subscribe(this.#ids[0]!, () => undefined)
    end()
    const held = this.#held ?? []
    this.#held = undefined
    const isTold = stored === undefined || held.some((record) => isSame(record, stored))
    for (const record of isTold ? held : [stored, ...held]) this.#tell(0, record)
  }

  #tell(place: number, record: ResultRecord): void {
    if (this.#isEnded || this.#is(place, done)) return
    if (this.#options.isExact && place === 0) {
      // Stores that look, and links that come back, tell again what they told before.
      if (this.#last && isSame(this.#last, record)) return
      this.#last = record
    }
    if (isReady(record.status)) {
      this.#marks[place]! |= done
      this.#offs[place]?.()
      this.#offs[place] = undefined
    }
    try {
      this.#events.onRecord(place, record)
    } catch (error) {
      this.#fail(error)
    }
  }

  #beat(ms: number): void {
    let cancel: (() => void) | undefined
    const again = (): void => {
      cancel = this.#source.clock.after(ms, () => {
        try {
          this.#options.onInterval?.()
        } catch (error) {
          return this.#fail(error)
        }
        void this.#lookAgain().then(() => {
          if (!this.#isEnded) again()
        })
      })
    }
    again()
    this.#ends.push(() => cancel?.())
  }

  /** Where nobody notifies, the pace of the one who waits counts. */
  async #lookAgain(): Promise<void> {
    if (this.#options.interval === undefined) return
    try {
      const { capabilities } = await this.#source.backend()
      if (!capabilities.notifies && !this.#isEnded) await this.#read(this.#open(), true)
    } catch (error) {
      if (!isAway(error)) this.#fail(error)
    }
  }
}

function isSame(one: ResultRecord, other: ResultRecord): boolean {
  return one.status === other.status && isDeepStrictEqual(one.result, other.result)
}
