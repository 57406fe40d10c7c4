/** What the virtual layer refuses, as typed errors. */
import { MessagingError, messageOf } from '../kernel/errors.ts'
import type { Queue } from '../topology/queue.ts'
import { notSupported, type Capabilities } from '../transport/capabilities.ts'
import type { ConsumeOptions } from '../transport/channel.ts'

type Ability = 'queueExpiry' | 'messageTtl' | 'maxLength' | 'deadLetters' | 'priority'

/**
 * Arguments of queues and the ability each needs; undefined: any store will do, because it is about how
 * RabbitMQ keeps a queue.
 */
const abilities: Readonly<Record<string, Ability | undefined>> = {
  'x-queue-type': undefined,
  'x-max-priority': 'priority',
  'x-expires': 'queueExpiry',
  'x-message-ttl': 'messageTtl',
  'x-max-length': 'maxLength',
  'x-max-length-bytes': 'maxLength',
  'x-overflow': 'maxLength',
  'x-dead-letter-exchange': 'deadLetters',
  'x-dead-letter-routing-key': 'deadLetters',
}

/** Throws `MESSAGING_NOT_SUPPORTED` for an argument that would change what the queue does. */
export function refuseArguments(
  transport: string,
  capabilities: Capabilities,
  { arguments: args }: Queue,
): void {
  for (const name of Object.keys(args)) {
    const ability = abilities[name]
    const can = ability === undefined || ![false, 'none'].includes(capabilities[ability])
    if (name in abilities && can) continue
    throw notSupported(transport, `honour the queue argument '${name}'`)
  }
}

/** Arguments that say how RabbitMQ keeps a queue, and change nothing here. */
const meaningless = new Set(['x-max-priority', 'x-queue-type'])

/** Refuses what a queue cannot become by declaring it again; Kombu: `NotEquivalent`. */
export function refuseDifference(before: Queue, after: Queue): void {
  const different: string[] = (['durable', 'exclusive', 'autoDelete'] as const).filter(
    (field) => before[field] !== after[field],
  )
  for (const name of new Set([...Object.keys(before.arguments), ...Object.keys(after.arguments)])) {
    if (meaningless.has(name)) continue
    if (JSON.stringify(before.arguments[name]) !== JSON.stringify(after.arguments[name]))
      different.push(name)
  }
  if (different.length === 0) return
  throw refused(
    `queue '${after.name}' was declared with another ${different.join(', ')}; declare it as it is, or remove it first`,
  )
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

/** Throws `MESSAGING_NOT_SUPPORTED` for a wish about consuming that would be passed over. */
export function refuseConsumerArguments(
  transport: string,
  capabilities: Capabilities,
  { priority, arguments: args = {} }: ConsumeOptions,
): void {
  for (const name of [...(priority === undefined ? [] : ['x-priority']), ...Object.keys(args)]) {
    if (name === 'x-priority' && capabilities.consumerPriority) continue
    throw notSupported(transport, `honour the consumer argument '${name}'`)
  }
}
