/** The declaration of a queue with its bindings: a value, nothing happens until somebody declares it. */
import type { Binding } from './binding.ts'
import {
  sourceBindings,
  type Arguments,
  type SourceBinding,
  type SourceBindingOptions,
} from './exchange.ts'

export type QueueBinding = SourceBinding

export type QueueType = 'classic' | 'quorum' | 'stream'

export interface Queue {
  readonly name: string
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
  /** The broker's own arguments (`x-…`), kept exactly. */
  readonly arguments: Arguments
  readonly bindings: readonly QueueBinding[]
  /** Arguments of its consumers (`x-priority`, …). */
  readonly consumerArguments: Arguments
  /** Only looked for, never made. */
  readonly passive: boolean
  /** Neither made nor looked for, bindings included. */
  readonly noDeclare: boolean
}

export interface QueueOptions extends Partial<Omit<Queue, 'name' | 'bindings'>> {
  readonly bindings?: readonly SourceBindingOptions[]
  /** How RabbitMQ keeps it (`x-queue-type`). */
  readonly type?: QueueType
  /** Highest priority the queue tells apart (`x-max-priority`). */
  readonly maxPriority?: number
  /** Milliseconds without consumers after which the broker removes the queue (`x-expires`). */
  readonly expiresMs?: number
  /** Milliseconds a message may wait (`x-message-ttl`). */
  readonly messageTtlMs?: number
  /** Most messages that wait (`x-max-length`); what happens beyond is `overflow`. */
  readonly maxLength?: number
  /** Most bytes of bodies that wait (`x-max-length-bytes`). */
  readonly maxLengthBytes?: number
  /** Beyond the greatest length: the oldest goes (default), or the newest is refused (`x-overflow`). */
  readonly overflow?: 'drop-head' | 'reject-publish'
  /** Where dropped, expired and crowded-out messages go (`x-dead-letter-exchange`). */
  readonly deadLetterExchange?: string
  /** Default: the key they came with (`x-dead-letter-routing-key`). */
  readonly deadLetterRoutingKey?: string
  /** Deliveries without an end after which a quorum queue drops a message (`x-delivery-limit`). */
  readonly deliveryLimit?: number
  /** One consumer at a time gets messages, the others stand by (`x-single-active-consumer`). */
  readonly singleActiveConsumer?: boolean
}

/** Options that are a name for one of the broker's arguments. */
const argumentNames = {
  type: 'x-queue-type',
  maxPriority: 'x-max-priority',
  expiresMs: 'x-expires',
  messageTtlMs: 'x-message-ttl',
  maxLength: 'x-max-length',
  maxLengthBytes: 'x-max-length-bytes',
  overflow: 'x-overflow',
  deadLetterExchange: 'x-dead-letter-exchange',
  deadLetterRoutingKey: 'x-dead-letter-routing-key',
  deliveryLimit: 'x-delivery-limit',
  singleActiveConsumer: 'x-single-active-consumer',
} as const satisfies Partial<Record<keyof QueueOptions, string>>

/** A queue, durable unless told otherwise, as Kombu's `Queue`. */
export function queue(name: string, options: QueueOptions = {}): Queue {
  const args: Record<string, unknown> = { ...options.arguments }
  for (const [option, argument] of Object.entries(argumentNames)) {
    const value = options[option as keyof typeof argumentNames]
    if (value !== undefined) args[argument] = value
  }
  const exclusive = options.exclusive ?? false
  return {
    name,
    durable: options.durable ?? true,
    exclusive,
    // Kombu: a queue of one connection goes with it.
    autoDelete: options.autoDelete ?? exclusive,
    arguments: args,
    consumerArguments: options.consumerArguments ?? {},
    passive: options.passive ?? false,
    noDeclare: options.noDeclare ?? false,
    bindings: sourceBindings(options.bindings ?? [], name),
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
