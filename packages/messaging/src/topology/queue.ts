/** The declaration of a queue with its bindings: a value, nothing happens until somebody declares it. */
import type { Binding } from './binding.ts'
import { exchange, type Arguments, type Exchange } from './exchange.ts'

export interface QueueBinding {
  readonly exchange: Exchange
  readonly routingKey: string
  readonly arguments: Arguments
}

export interface Queue {
  readonly name: string
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
  /** The broker's own arguments (`x-…`), kept exactly. */
  readonly arguments: Arguments
  readonly bindings: readonly QueueBinding[]
}

export interface QueueOptions extends Partial<Omit<Queue, 'name' | 'bindings'>> {
  readonly bindings?: readonly {
    readonly exchange: Exchange | string
    /** Default: the queue's name; nothing for fanout and headers exchanges. */
    readonly routingKey?: string
    readonly arguments?: Arguments
  }[]
  /** Highest priority the queue tells apart (`x-max-priority`). */
  readonly maxPriority?: number
  /** Milliseconds without consumers after which the broker removes the queue (`x-expires`). */
  readonly expiresMs?: number
  /** Milliseconds a message may wait (`x-message-ttl`). */
  readonly messageTtlMs?: number
  readonly deadLetterExchange?: string
  readonly deadLetterRoutingKey?: string
}

/** A queue, durable unless told otherwise, as Kombu's `Queue`. */
export function queue(name: string, options: QueueOptions = {}): Queue {
  const args: Record<string, unknown> = { ...options.arguments }
  if (options.maxPriority !== undefined) args['x-max-priority'] = options.maxPriority
  if (options.expiresMs !== undefined) args['x-expires'] = options.expiresMs
  if (options.messageTtlMs !== undefined) args['x-message-ttl'] = options.messageTtlMs
  if (options.deadLetterExchange !== undefined)
    args['x-dead-letter-exchange'] = options.deadLetterExchange
  if (options.deadLetterRoutingKey !== undefined)
    args['x-dead-letter-routing-key'] = options.deadLetterRoutingKey
  return {
    name,
    durable: options.durable ?? true,
    exclusive: options.exclusive ?? false,
    autoDelete: options.autoDelete ?? false,
    arguments: args,
    bindings: (options.bindings ?? []).map((binding) => {
      const from =
        typeof binding.exchange === 'string' ? exchange(binding.exchange) : binding.exchange
      // Only keys that are compared have a use for the name; a fanout on Redis would listen elsewhere.
      const compared = from.type === 'direct' || from.type === 'topic'
      return {
        exchange: from,
        routingKey: binding.routingKey ?? (compared ? name : ''),
        arguments: binding.arguments ?? {},
      }
    }),
  }
}

/** The bindings a declared queue asks for, without the default exchange, which needs none. */
export function bindingsOf(declared: Queue): Binding[] {
  return declared.bindings
    .filter((binding) => binding.exchange.name !== '')
    .map((binding) => ({
      exchange: binding.exchange.name,
      queue: declared.name,
      routingKey: binding.routingKey,
      arguments: binding.arguments,
    }))
}
