/** Which messages of an exchange reach a queue. */
import type { Arguments } from './exchange.ts'

export interface Binding {
  readonly exchange: string
  readonly queue: string
  /** Literal, pattern or nothing, as the type of the exchange has it. */
  readonly routingKey: string
  /** Header matches of a `headers` exchange, `x-match` included. */
  readonly arguments: Arguments
}
