/**
 * Time zones as stretches of constant offset: within one, local time is plain arithmetic, and only the
 * changes between two need rules. The one door to the Temporal library.
 */
import { Temporal } from 'temporal-polyfill'
import { TasksError } from '../kernel/errors.ts'

/** A stretch of time in which the offset of a zone does not change. */
export interface Stretch {
  /** Known to reach back at least to here. */
  readonly fromMs: number
  /** The instant of the next change; Infinity when there is none. */
  readonly untilMs: number
  /** To be added to an instant to get local time. */
  readonly offsetMs: number
}

/** Stretches found so far, newest last; finding one costs a thousand times more than looking it up. */
const found = new Map<string, Stretch[]>()
const MOST_KEPT = 64

/** The stretch of `zone` that `atMs` lies in. Throws `TASKS_SCHEDULE_INVALID` for an unknown zone. */
export function stretchAt(zone: string, atMs: number): Stretch {
  let known = found.get(zone)
  if (!known) found.set(zone, (known = []))
  for (let index = known.length - 1; index >= 0; index--) {
    const one = known[index]!
    if (one.fromMs <= atMs && atMs < one.untilMs) return one
  }

  const there = zoned(zone, atMs)
  const change = there.getTimeZoneTransition('next')
  const stretch: Stretch = {
    fromMs: atMs,
    untilMs: change?.epochMilliseconds ?? Infinity,
    offsetMs: there.offsetNanoseconds / 1e6,
  }
  const same = known.findIndex((one) => one.untilMs === stretch.untilMs)
  if (same >= 0) known[same] = stretch
  else if (known.push(stretch) > MOST_KEPT) known.shift()
  return stretch
}

/** Throws `TASKS_SCHEDULE_INVALID` when there is no such time zone. */
export function checkZone(zone: string): string {
  stretchAt(zone, 0)
  return zone
}

function zoned(zone: string, atMs: number): Temporal.ZonedDateTime {
  try {
    return Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs)).toZonedDateTimeISO(zone)
  } catch (error) {
    throw new TasksError('TASKS_SCHEDULE_INVALID', `there is no time zone '${zone}'`, {
      cause: error,
    })
  }
}
