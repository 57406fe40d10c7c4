/** The declaration of an exchange: a value, nothing happens until somebody declares it. */

/** The four of AMQP, and those a plug-in of the broker adds, such as `x-consistent-hash`. */
export type ExchangeType = 'direct' | 'topic' | 'fanout' | 'headers' | `x-${string}`

export type Arguments = Readonly<Record<string, unknown>>

export interface Exchange {
  readonly name: string
  readonly type: ExchangeType
  /** Survives a restart of the broker; default true. */
  readonly durable: boolean
  /** Removed with its last binding; default false. */
  readonly autoDelete: boolean
  readonly arguments: Arguments
  /** Exchanges whose messages it gets as well. */
  readonly bindings: readonly SourceBinding[]
  /** Of messages published to it that say nothing themselves: 1 transient, 2 persistent. */
  readonly deliveryMode: 1 | 2
  /** Only looked for, never made. */
  readonly passive: boolean
  /** Neither made nor looked for. */
  readonly noDeclare: boolean
}

/** A binding as its destination sees it: where messages come from. */
export interface SourceBinding {
  readonly exchange: Exchange
  readonly routingKey: string
  readonly arguments: Arguments
}

export interface SourceBindingOptions {
  readonly exchange: Exchange | string
  /** Default: the queue's name for direct and topic exchanges; nothing otherwise. */
  readonly routingKey?: string
  readonly arguments?: Arguments
}

export interface ExchangeOptions extends Partial<Omit<Exchange, 'name' | 'bindings'>> {
  readonly bindings?: readonly SourceBindingOptions[]
  /** Where messages go that no binding takes (`alternate-exchange`). */
  readonly alternateExchange?: string
}

/** An exchange, `direct` and durable unless told otherwise, as Kombu's `Exchange`. */
export function exchange(name: string, options: ExchangeOptions = {}): Exchange {
  const { alternateExchange, bindings = [], ...rest } = options
  return {
    name,
    type: 'direct',
    durable: true,
    autoDelete: false,
    deliveryMode: 2,
    passive: false,
    noDeclare: false,
    ...rest,
    arguments: {
      ...options.arguments,
      ...(alternateExchange !== undefined && { 'alternate-exchange': alternateExchange }),
    },
    bindings: sourceBindings(bindings, ''),
  }
}

/** Fills in what was left out. `defaultKey`: for exchanges that compare keys. */
export function sourceBindings(
  bindings: readonly SourceBindingOptions[],
  defaultKey: string,
): SourceBinding[] {
  return bindings.map((binding) => {
    const from =
      typeof binding.exchange === 'string' ? exchange(binding.exchange) : binding.exchange
    // Only keys that are compared have a use for the name; a fanout on Redis would listen elsewhere.
    const compared = from.type === 'direct' || from.type === 'topic'
    return {
      exchange: from,
      routingKey: binding.routingKey ?? (compared ? defaultKey : ''),
      arguments: binding.arguments ?? {},
    }
  })
}

/** The nameless exchange every broker has: a routing key is the name of a queue. */
export const defaultExchange: Exchange = exchange('')
