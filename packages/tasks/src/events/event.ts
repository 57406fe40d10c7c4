/** One event as it travels: common fields around its own, Celery's names. Pure. */
import type { Message } from '@celeriac/messaging'

/** Who tells it, and when. */
export interface EventSource {
  readonly hostname: string
  readonly pid: number
  /** Of the app's logical clock. */
  readonly clock: number
  /** Epoch milliseconds. */
  readonly nowMs: number
  /** Minutes west of UTC, as `Date` gives them. */
  readonly offsetMinutes: number
}

export interface OutgoingEvent {
  readonly routingKey: string
  readonly value: Readonly<Record<string, unknown>>
  readonly message: Omit<Message, 'body'>
}

/** Fields of the event's own cannot change who tells it, and when. */
export function eventOf(
  type: string,
  fields: Readonly<Record<string, unknown>>,
  { hostname, pid, clock, nowMs, offsetMinutes }: EventSource,
): OutgoingEvent {
  const utcoffset = Math.floor(offsetMinutes / 60)
  return {
    routingKey: type.replaceAll('-', '.'),
    value: { ...fields, hostname, utcoffset, pid, clock, timestamp: nowMs / 1000, type },
    message: { headers: { hostname }, properties: { deliveryMode: 1 } },
  }
}
