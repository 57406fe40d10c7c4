/** What the virtual layer refuses, as typed errors. */
import { MessagingError, messageOf } from '../kernel/errors.ts'
import type { Queue } from '../topology/queue.ts'
import { notSupported } from '../transport/capabilities.ts'

/**
 * Arguments a declaration may carry here. The limits on time are hints that keep unused control queues
 * short on RabbitMQ; Kombu's virtual transports pass over them too.
 */
const honoured = new Set(['x-max-priority', 'x-expires', 'x-message-ttl', 'x-queue-type'])

/** Throws `MESSAGING_NOT_SUPPORTED` for an argument that would change what the queue does. */
export function refuseArguments(transport: string, queue: Queue): void {
  for (const name of Object.keys(queue.arguments)) {
    if (honoured.has(name)) continue
    throw notSupported(transport, `honour the queue argument '${name}'`)
  }
}

export function refused(reason: string): MessagingError {
  return new MessagingError('MESSAGING_DECLARATION_REFUSED', 'channel', reason)
}

/** What a channel held could not be given back: only the end of its session can do that now. */
export function notGivenBack(cause: unknown): MessagingError {
  return new MessagingError('MESSAGING_CONNECTION_LOST', 'connection', messageOf(cause), { cause })
}

export function queueNotFound(name: string): MessagingError {
  return new MessagingError(
    'MESSAGING_QUEUE_NOT_FOUND',
    'channel',
    `no queue '${name}' here; declare it, or look at its name`,
  )
}

export function unroutable(exchange: string, routingKey: string): MessagingError {
  return new MessagingError(
    'MESSAGING_UNROUTABLE',
    'message',
    `no queue takes messages of exchange '${exchange}' with routing key '${routingKey}'`,
  )
}
