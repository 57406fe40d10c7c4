/**
 * Puts messages aside that this worker can do nothing with: they stay readable and replayable in a queue
 * of their own, with the reason in their headers, and the queue they came from flows on.
 */
import { queue, type Delivery, type Producer } from '@celeriac/messaging'
import { parkedQueue } from '@celeriac/messaging/internal'

export { parkedQueue }

/** One object for all: the producer declares an entity once for each link. */
const parked = queue(parkedQueue)

export interface ParkReason {
  readonly reason: string
  readonly detail: string
  readonly hostname: string
  readonly nowMs: number
}

/** Resolves when the message is safe in the parking queue and settled where it came from. */
export async function park(
  producer: Producer,
  delivery: Delivery,
  { reason, detail, hostname, nowMs }: ParkReason,
): Promise<void> {
  const { message, origin } = delivery
  await producer.publishMessage(
    {
      exchange: '',
      routingKey: parkedQueue,
      message: {
        ...message,
        headers: {
          ...message.headers,
          'x-parked-reason': reason,
          'x-parked-detail': detail.slice(0, 1000),
          'x-parked-queue': origin.queue,
          'x-parked-by': hostname,
          'x-parked-at': new Date(nowMs).toISOString(),
        },
      },
    },
    [parked],
  )
  await delivery.ack()
}
