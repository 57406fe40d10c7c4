/**
 * Every n seconds. Ticks lie on a fixed grid, so that they do not drift, survive a restart, and are the
 * same for every scheduler. Elapsed time counts, not the wall clock: no zone makes one longer.
 */
import { TasksError } from '../kernel/errors.ts'
import { dueAt, type Due, type Schedule, type ScheduleJson } from '../schedule/schedule.ts'
import { stretchAt } from '../schedule/zoned-time.ts'

export interface IntervalOptions {
  /** Whole days begin at midnight of the zone instead of midnight UTC. */
  readonly relative?: boolean
  /** Epoch seconds the grid begins at; default 0, so that an interval of an hour ticks on the hour. */
  readonly anchor?: number
}

const DAY_MS = 86_400_000

export class Interval implements Schedule {
  readonly kind = 'interval'
  /** Seconds. */
  readonly every: number
  readonly #everyMs: number
  readonly #anchorMs: number
  readonly #isRelative: boolean

  constructor(every: number, options: IntervalOptions = {}) {
    this.#everyMs = Math.round(every * 1000)
    if (!Number.isSafeInteger(this.#everyMs) || this.#everyMs < 1) {
      throw new TasksError(
        'TASKS_SCHEDULE_INVALID',
        `an interval must be a number of seconds, at least 0.001; found ${String(every)}`,
      )
    }
    this.every = every
    this.#isRelative = options.relative ?? false
    this.#anchorMs = (options.anchor ?? 0) * 1000
  }

  next(afterMs: number, zone = 'UTC'): number {
    if (this.#isRelative && this.#everyMs % DAY_MS === 0) {
      return this.#nextMidnight(afterMs, zone)
    }
    return onGrid(afterMs, this.#everyMs, this.#anchorMs)
  }

  isDue(lastMs: number, nowMs: number, zone?: string): Due {
    return dueAt(this, lastMs, nowMs, zone)
  }

  toJSON(): ScheduleJson {
    return {
      kind: this.kind,
      every: this.every,
      ...(this.#isRelative ? { relative: true } : {}),
      ...(this.#anchorMs === 0 ? {} : { anchor: this.#anchorMs / 1000 }),
    }
  }

  /** Every so many days at midnight; right after it where the clock skips midnight. */
  #nextMidnight(afterMs: number, zone: string): number {
    let stretch = stretchAt(zone, afterMs)
    let localMs = onGrid(afterMs + stretch.offsetMs, this.#everyMs, this.#anchorMs)
    for (;;) {
      const tick = localMs - stretch.offsetMs
      if (tick < stretch.untilMs) return tick
      const changeMs = stretch.untilMs
      stretch = stretchAt(zone, changeMs)
      const skippedToMs = changeMs + stretch.offsetMs
      if (localMs < skippedToMs) return changeMs
      // A midnight that comes twice was served the first time.
      if (localMs - stretch.offsetMs <= afterMs) localMs += this.#everyMs
    }
  }
}

function onGrid(afterMs: number, everyMs: number, anchorMs: number): number {
  return (Math.floor((afterMs - anchorMs) / everyMs) + 1) * everyMs + anchorMs
}

/** Every `every` seconds. Throws `TASKS_SCHEDULE_INVALID` for less than a millisecond. */
export function interval(every: number, options: IntervalOptions = {}): Interval {
  return new Interval(every, options)
}
