/** A queue as settings describe it, to the declaration the transports know. Celery: app/amqp.py. */
import { exchange, queue, type Exchange, type Queue, type QueueOptions } from '@celeriac/messaging'
import { camelKeys, type QueueSetting } from '../kernel/setting-shapes.ts'

/** What a description that names none falls back to. */
export interface QueueFallbacks {
  readonly exchange: Exchange
  readonly routingKey: string
  readonly maxPriority: number | undefined
}

/** Those a description has under the same name and in the same unit as a declaration. */
const sameOptions = [
  'maxPriority',
  'maxLength',
  'maxLengthBytes',
  'overflow',
  'deadLetterExchange',
  'deadLetterRoutingKey',
  'consumerArguments',
  'passive',
  'noDeclare',
  'type',
  'deliveryLimit',
  'singleActiveConsumer',
] as const

/**
 * The declaration of a described queue. Without an exchange it is bound to the default one; without a key
 * it is bound by its own name.
 */
export function queueFrom(name: string, given: QueueSetting, fallbacks: QueueFallbacks): Queue {
  const setting = camelKeys({ ...given }) as QueueSetting & { readonly arguments?: QueueOptions }
  const routingKey = setting.routingKey ?? setting.bindingKey ?? name
  const target = exchangeFrom(setting.exchange, setting.exchangeType) ?? fallbacks.exchange
  const args: Record<string, unknown> = { ...setting.arguments, ...setting.queueArguments }
  const same = Object.fromEntries(
    sameOptions.filter((name) => setting[name] !== undefined).map((name) => [name, setting[name]]),
  )

  const declared = queue(name, {
    durable: setting.durable ?? true,
    exclusive: setting.exclusive ?? false,
    // Kombu: what belongs to one connection goes with it.
    autoDelete: setting.autoDelete ?? setting.exclusive ?? false,
    arguments: args,
    bindings: setting.bindings ?? [
      { exchange: target, routingKey, arguments: setting.bindingArguments ?? {} },
    ],
    ...same,
    ...(setting.expires === undefined ? {} : { expiresMs: setting.expires * 1000 }),
    ...(setting.messageTtl === undefined ? {} : { messageTtlMs: setting.messageTtl * 1000 }),
  })
  return completed(declared, fallbacks)
}

/** A ready declaration with what the app adds to every queue: a binding, the highest priority. */
export function completed(declared: Queue, fallbacks: QueueFallbacks): Queue {
  const { maxPriority } = fallbacks
  const needsPriority = maxPriority !== undefined && !('x-max-priority' in declared.arguments)
  const needsBinding = declared.bindings.length === 0
  if (!needsPriority && !needsBinding) return declared
  return {
    ...declared,
    arguments: needsPriority
      ? { ...declared.arguments, 'x-max-priority': maxPriority }
      : declared.arguments,
    bindings: needsBinding
      ? [{ exchange: fallbacks.exchange, routingKey: fallbacks.routingKey, arguments: {} }]
      : declared.bindings,
  }
}

const parts = ['name', 'durable', 'exclusive', 'autoDelete', 'arguments', 'bindings'] as const

/** True for what `queue()` made, or a plain copy of it: descriptions leave something out. */
export function isQueue(value: unknown): value is Queue {
  return typeof value === 'object' && value !== null && parts.every((part) => part in value)
}

function exchangeFrom(
  given: string | Exchange | undefined,
  type: QueueSetting['exchangeType'],
): Exchange | undefined {
  if (given === undefined || given === '') return undefined
  if (typeof given !== 'string') return given
  return exchange(given, type === undefined ? {} : { type })
}
