/**
 * Times as the wire has them: ISO 8601 text as Python writes it. Inside, a time is a number of epoch
 * milliseconds whose fraction holds the microseconds. Pure: now is an argument.
 */

/**
 * Epoch milliseconds of an ISO 8601 text, or undefined when it is none. Accepts what Python peers accept:
 * `Z` or any offset, fractions of a second, `T` or a space, basic and extended form, a date alone. A
 * time without offset is UTC. Digits beyond microseconds are cut off.
 */
export function parseIso(text: string): number | undefined {
  throw new Error('not written yet')
}

/** Epoch milliseconds as Python's `isoformat()` in UTC: microseconds only when they are not zero. */
export function formatIso(epochMs: number): string {
  throw new Error('not written yet')
}

export interface StartTime {
  /** Seconds from now. */
  readonly countdown?: number | undefined
  readonly eta?: Date | string | undefined
}

/**
 * The text of the `eta` header. Text passes through as it is; a countdown of 0 means no eta; `countdown`
 * wins over `eta`. Throws `TASKS_ARGUMENTS_INVALID` for what is no time.
 */
export function etaText(options: StartTime, nowMs: number): string | undefined {
  throw new Error('not written yet')
}

/** The text of the `expires` header: seconds from now, a date, or text as it is. Throws like `etaText`. */
export function expiresText(
  expires: number | Date | string | undefined,
  nowMs: number,
): string | undefined {
  throw new Error('not written yet')
}

/** What is left until an `expires` text, in whole milliseconds, never below 0; undefined when it is no time. */
export function expirationMs(expires: string, nowMs: number): number | undefined {
  throw new Error('not written yet')
}
