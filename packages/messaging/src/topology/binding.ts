/** Which messages of an exchange reach a queue, or another exchange. */
import type { Arguments } from './exchange.ts'

export interface Binding {
  readonly exchange: string
  readonly queue: string
  /** Literal, pattern or nothing, as the type of the exchange has it. */
  readonly routingKey: string
  /** Header matches of a `headers` exchange, `x-match` included. */
  readonly arguments: Arguments
}

/** Messages of `exchange` that match also go through the exchange `to`, with the same routing key. */
export interface ExchangeBinding {
  readonly exchange: string
  readonly to: string
  readonly routingKey: string
  readonly arguments: Arguments
}
