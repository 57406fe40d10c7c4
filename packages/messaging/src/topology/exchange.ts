/** The declaration of an exchange: a value, nothing happens until somebody declares it. */

export type ExchangeType = 'direct' | 'topic' | 'fanout' | 'headers'

export type Arguments = Readonly<Record<string, unknown>>

export interface Exchange {
  readonly name: string
  readonly type: ExchangeType
  /** Survives a restart of the broker; default true. */
  readonly durable: boolean
  /** Removed with its last binding; default false. */
  readonly autoDelete: boolean
  readonly arguments: Arguments
}

export type ExchangeOptions = Partial<Omit<Exchange, 'name'>>

/** An exchange, `direct` and durable unless told otherwise, as Kombu's `Exchange`. */
export function exchange(name: string, options: ExchangeOptions = {}): Exchange {
  return { name, type: 'direct', durable: true, autoDelete: false, arguments: {}, ...options }
}

/** The nameless exchange every broker has: a routing key is the name of a queue. */
export const defaultExchange: Exchange = exchange('')
