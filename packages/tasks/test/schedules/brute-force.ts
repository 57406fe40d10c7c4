/**
 * Ticks of a crontab found the dull way: one look at every minute, with offsets taken from Intl. Shares
 * nothing with the code it checks.
 */

export interface Fields {
  readonly minute: readonly number[]
  readonly hour: readonly number[]
  readonly dayOfWeek: readonly number[]
  readonly dayOfMonth: readonly number[]
  readonly monthOfYear: readonly number[]
}

/** Taken once: looking up globals is slow inside jest. */
const { floor, max, min } = Math
const MINUTE_MS = 60_000

/** Minutes that local time is ahead of UTC. */
function offsetAt(format: Intl.DateTimeFormat, minute: number): number {
  const parts: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(minute * MINUTE_MS))
    parts[type] = Number(value)
  const local = Date.UTC(
    parts['year']!,
    parts['month']! - 1,
    parts['day'],
    parts['hour']! % 24,
    parts['minute'],
  )
  return local / MINUTE_MS - minute
}

/** The minutes at which the offset changes, and the offset from then on. */
export function changesOf(zone: string, from: number, until: number): [number, number][] {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  })
  const changes: [number, number][] = [[from, offsetAt(format, from)]]
  const step = 5 * 24 * 60
  for (let at = from; at < until; at += step) {
    const end = min(at + step, until)
    const before = offsetAt(format, at)
    if (offsetAt(format, end) === before) continue
    let [low, high] = [at, end]
    while (high - low > 1) {
      const middle = floor((low + high) / 2)
      if (offsetAt(format, middle) === before) low = middle
      else high = middle
    }
    changes.push([high, offsetAt(format, high)])
  }
  return changes
}

/** All ticks in [from, until), as epoch milliseconds, by the written rules. */
export function bruteForce(
  fields: Fields,
  changes: readonly [number, number][],
  until: number,
): number[] {
  const everyHour = fields.hour.length === 24
  const isTime = new Uint8Array(1440)
  for (const hour of fields.hour) for (const one of fields.minute) isTime[hour * 60 + one] = 1
  const matchesDay = (day: number): boolean => {
    const date = new Date(day * 1440 * MINUTE_MS)
    return (
      fields.monthOfYear.includes(date.getUTCMonth() + 1) &&
      fields.dayOfMonth.includes(date.getUTCDate()) &&
      fields.dayOfWeek.includes(date.getUTCDay())
    )
  }
  const firstDay = floor(changes[0]![0] / 1440) - 2
  const isDay = Array.from({ length: until / 1440 - firstDay + 3 }, (_, i) =>
    matchesDay(firstDay + i),
  )
  const matches = (local: number): boolean => {
    const day = floor(local / 1440)
    return isTime[local - day * 1440] === 1 && isDay[day - firstDay]!
  }

  const ticks: number[] = []
  let index = 0
  let seen = -Infinity
  for (let minute = changes[0]![0]; minute < until; minute++) {
    while (index + 1 < changes.length && changes[index + 1]![0] <= minute) index++
    const local = minute + changes[index]![1]
    let fires = matches(local) && (local > seen || everyHour)
    // Local minutes that nobody saw.
    if (!everyHour && seen > -Infinity) {
      for (let missed = seen + 1; missed < local && !fires; missed++) fires = matches(missed)
    }
    if (fires) ticks.push(minute * MINUTE_MS)
    seen = max(seen, local)
  }
  return ticks
}
