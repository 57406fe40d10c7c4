/**
 * Decides which entries are due. No clock, no I/O: the service asks with the time and reports what was
 * sent. Ticks are counted from the last one served, so that nothing drifts and a failed send is due again.
 */
import { latestTick } from '../schedule/schedule.ts'
import { tickOf, type BeatEntry, type BeatTick, type EntryRecord } from './entry.ts'
import { Heap } from './heap.ts'

export interface SchedulerOptions {
  /** The app's time zone; default UTC. */
  readonly zone?: string
  /** Tells apps apart that share a broker; part of every tick's id. */
  readonly scope?: string
  /**
   * Ticks missed for at most this long are all made up for, oldest first; of older ones only the last.
   * Milliseconds, default a minute.
   */
  readonly catchUpMs?: number
  /** Missed crontab ticks older than this are left out (`beatCronStartingDeadline`), milliseconds. */
  readonly cronDeadlineMs?: number | undefined
}

/** The ticks of one entry, to be sent in this order. */
export interface DueEntry {
  readonly name: string
  readonly ticks: readonly BeatTick[]
  /** Earlier ticks were missed for too long and are left out. */
  readonly hasLeftOut: boolean
}

export interface Look {
  readonly due: readonly DueEntry[]
  /** When to look again, epoch milliseconds; undefined when nothing will ever be due. */
  readonly nextMs: number | undefined
}

interface Kept {
  readonly entry: BeatEntry
  readonly scheduleText: string
  lastTickMs: number
  totalRunCount: number
  /** Neither restored nor served yet: what a store remembers is better. */
  isFresh: boolean
  /** Counts the places in the heap; only the newest is good. */
  place: number
}

interface Place {
  readonly kept: Kept
  readonly place: number
}

/** The most ticks of one entry that are made up for at once, however short its interval. */
const MOST_TICKS = 1000

export class Scheduler {
  readonly #zone: string
  readonly #scope: string
  readonly #catchUpMs: number
  readonly #cronDeadlineMs: number | undefined
  readonly #kept = new Map<string, Kept>()
  /** Entries by their next tick, but for those that are being sent. */
  readonly #waiting = new Heap<Place>()

  constructor(options: SchedulerOptions = {}) {
    this.#zone = options.zone ?? 'UTC'
    this.#scope = options.scope ?? ''
    this.#catchUpMs = options.catchUpMs ?? 60_000
    this.#cronDeadlineMs = options.cronDeadlineMs
  }

  /** The configured entries. */
  get entries(): readonly BeatEntry[] {
    return [...this.#kept.values()].map(({ entry }) => entry)
  }

  /** Adds or replaces an entry. With the same schedule it goes on where it was, else it starts now. */
  add(entry: BeatEntry, nowMs: number): void {
    const scheduleText = JSON.stringify(entry.schedule)
    const before = this.#kept.get(entry.name)
    const goesOn = before?.scheduleText === scheduleText
    const kept: Kept = {
      entry,
      scheduleText,
      lastTickMs: goesOn ? before.lastTickMs : nowMs,
      totalRunCount: before?.totalRunCount ?? 0,
      isFresh: goesOn ? before.isFresh : true,
      place: 0,
    }
    this.#kept.set(entry.name, kept)
    this.#place(kept)
  }

  /** Forgets an entry; false when there is none of that name. */
  remove(name: string): boolean {
    return this.#kept.delete(name)
  }

  /**
   * Takes over what a store kept, for entries that still have the same schedule; times in the future, as
   * a wrong clock leaves them, count as now.
   */
  restore(records: readonly EntryRecord[], nowMs: number): void {
    for (const record of records) {
      const kept = this.#kept.get(record.name)
      if (kept?.scheduleText !== record.schedule) continue
      const lastTickMs = Math.min(record.lastTickMs, nowMs)
      // Later on, what this process has served itself must not be forgotten.
      kept.lastTickMs = kept.isFresh ? lastTickMs : Math.max(kept.lastTickMs, lastTickMs)
      kept.totalRunCount = Math.max(kept.totalRunCount, record.totalRunCount)
      kept.isFresh = false
      this.#place(kept)
    }
  }

  /** What a store is to keep. */
  records(): EntryRecord[] {
    return [...this.#kept.values()].map((kept) => ({
      name: kept.entry.name,
      lastTickMs: kept.lastTickMs,
      totalRunCount: kept.totalRunCount,
      schedule: kept.scheduleText,
    }))
  }

  /**
   * What is due now. An entry that is handed out is not looked at again before `settle`; each of its ticks
   * that was sent is to be reported with `served`.
   */
  tick(nowMs: number): Look {
    const due: DueEntry[] = []
    for (;;) {
      const nextMs = this.nextMs()
      if (nextMs === undefined || nextMs > nowMs) return { due, nextMs }
      const { kept } = this.#waiting.pop()!.value
      const found = this.#dueEntry(kept, nowMs)
      if (found.ticks.length > 0 || found.hasLeftOut) due.push(found)
      if (found.ticks.length === 0) this.#place(kept)
    }
  }

  /** When to look next, without handing anything out; undefined when nothing will ever be due. */
  nextMs(): number | undefined {
    for (;;) {
      const top = this.#waiting.peek()
      if (!top || this.#isCurrent(top.value)) return top?.key
      this.#waiting.pop()
    }
  }

  /** That tick was sent: the next one is counted from it. */
  served(tick: Pick<BeatTick, 'name' | 'tickMs'>): void {
    const kept = this.#kept.get(tick.name)
    if (!kept) return
    kept.lastTickMs = Math.max(kept.lastTickMs, tick.tickMs)
    kept.totalRunCount++
    kept.isFresh = false
  }

  /** The entry that `tick` handed out has been dealt with, whether its ticks were sent or not. */
  settle(name: string): void {
    const kept = this.#kept.get(name)
    if (kept) this.#place(kept)
  }

  #dueEntry(kept: Kept, nowMs: number): DueEntry {
    const { entry, lastTickMs } = kept
    const latest = latestTick(entry.schedule, lastTickMs, nowMs, this.#zone)
    if (latest === undefined) return { name: entry.name, ticks: [], hasLeftOut: false }

    const first = entry.schedule.next(lastTickMs, this.#zone)
    const isTooOld =
      entry.schedule.kind === 'crontab' &&
      this.#cronDeadlineMs !== undefined &&
      nowMs - latest > this.#cronDeadlineMs
    if (isTooOld) {
      kept.lastTickMs = latest
      return { name: entry.name, ticks: [], hasLeftOut: true }
    }

    const times: number[] = []
    let time = entry.schedule.next(Math.max(lastTickMs, nowMs - this.#catchUpMs - 1), this.#zone)
    while (time !== undefined && time <= nowMs && times.length < MOST_TICKS) {
      times.push(time)
      time = entry.schedule.next(time, this.#zone)
    }
    if (times.length === 0) times.push(latest)
    return {
      name: entry.name,
      ticks: times.map((tickMs) => tickOf(entry, tickMs, this.#scope)),
      hasLeftOut: first !== times[0],
    }
  }

  #isCurrent({ kept, place }: Place): boolean {
    return this.#kept.get(kept.entry.name) === kept && kept.place === place
  }

  /** Puts the entry where its next tick belongs; older places of it are passed over when they come up. */
  #place(kept: Kept): void {
    kept.place++
    if (!kept.entry.enabled) return
    const next = kept.entry.schedule.next(kept.lastTickMs, this.#zone)
    if (next !== undefined) this.#waiting.push(next, { kept, place: kept.place })
  }
}
