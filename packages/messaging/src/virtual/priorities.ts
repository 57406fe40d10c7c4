/**
 * One meaning of priorities on brokers that serve low numbers first, as Kombu on Redis: with the transport
 * option `priorityOrder: 'high-first'`, 9 is urgent as on RabbitMQ, and turned around on the wire. What
 * says nothing counts as 0 and waits for everything that says more.
 */
import { MessagingError } from '../kernel/errors.ts'
import type { Message } from '../message/message.ts'
import type { Capabilities } from '../transport/capabilities.ts'
import type { Target } from '../transport/transport.ts'

const highest = 9

/** What stores and envelopes get: whole, 0 to 255 as in AMQP; no number is 0. Kombu: `_get_message_priority`. */
export function boundedPriority(priority = 0): number {
  return Math.min(Math.max(Math.trunc(priority) || 0, 0), 255)
}

/** True when priorities are to be turned around between here and the wire. */
export function turnsPriorities({ priority }: Capabilities, { options }: Target): boolean {
  const { priorityOrder: order = priority } = options
  if (order === priority) return false
  if (order === 'high-first' && priority === 'low-first') return true
  throw new MessagingError(
    'MESSAGING_OPTION_INVALID',
    'fatal',
    `the transport option priorityOrder must be 'high-first' or 'low-first', found ${JSON.stringify(order)}`,
  )
}

/** From here to the wire, and back: it is the same. */
export function turned(message: Message): Message {
  const priority = Math.min(boundedPriority(message.properties.priority), highest)
  return { ...message, properties: { ...message.properties, priority: highest - priority } }
}
