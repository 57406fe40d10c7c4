/**
 * Contract of a schedule: when a periodic task is due. Pure; the scheduler owns the clock and the zone.
 *
 * Duties of the plug-in: `next` depends on its arguments alone, so that several schedulers agree on every
 * tick; it is strictly after what was asked and grows with it. Duties of the caller: call `next` with the
 * tick that was last due, not with the moment it was served, so that nothing drifts.
 */

export interface Due {
  readonly due: boolean
  /** Seconds until it is worth looking again; undefined when it will never be due again. */
  readonly nextSeconds: number | undefined
}

/** Plain data from which the shelf makes the schedule again. */
export interface ScheduleJson {
  readonly kind: string
  readonly [member: string]: unknown
}

export interface Schedule {
  readonly kind: string
  /**
   * The first tick strictly after `afterMs` (epoch milliseconds), or undefined when there is none. `zone`
   * is the time zone of the app; a schedule with a zone of its own ignores it.
   */
  next(afterMs: number, zone?: string): number | undefined
  /** Whether a tick lies between the last one served and now. */
  isDue(lastMs: number, nowMs: number, zone?: string): Due
  toJSON(): ScheduleJson
}

/** `isDue` as it follows from `next`. */
export function dueAt(
  schedule: Pick<Schedule, 'next'>,
  lastMs: number,
  nowMs: number,
  zone?: string,
): Due {
  const first = schedule.next(lastMs, zone)
  const due = first !== undefined && first <= nowMs
  const coming = due ? schedule.next(nowMs, zone) : first
  return { due, nextSeconds: coming === undefined ? undefined : (coming - nowMs) / 1000 }
}

/**
 * The last tick in (afterMs, nowMs], or undefined when there is none: what is to be served after several
 * were missed. Looks at short spans before `nowMs` first, so that a long outage costs little.
 */
export function latestTick(
  schedule: Pick<Schedule, 'next'>,
  afterMs: number,
  nowMs: number,
  zone?: string,
): number | undefined {
  for (let spanMs = 60_000; ; spanMs *= 8) {
    const fromMs = Math.max(afterMs, nowMs - spanMs)
    let tick = schedule.next(fromMs, zone)
    if (tick !== undefined && tick <= nowMs) {
      for (;;) {
        const later = schedule.next(tick, zone)
        if (later === undefined || later > nowMs) return tick
        tick = later
      }
    }
    if (fromMs === afterMs) return undefined
  }
}

/** True for anything that keeps the contract. */
export function isSchedule(value: unknown): value is Schedule {
  return (
    typeof value === 'object' &&
    value !== null &&
    'next' in value &&
    typeof value.next === 'function' &&
    'isDue' in value &&
    typeof value.isDue === 'function'
  )
}
