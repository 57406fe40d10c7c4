/** Which queues one publish reaches. Pure. */
import type { Headers } from '../message/message.ts'
import type { Binding } from '../topology/binding.ts'
import type { ExchangeType } from '../topology/exchange.ts'
import { matchers } from './exchange-types.ts'

/** Each queue at most once, in binding order. */
export function route(
  type: ExchangeType,
  bindings: readonly Binding[],
  routingKey: string,
  headers: Headers,
): string[] {
  const matches = matchers[type]
  const queues = new Set<string>()
  for (const binding of bindings) {
    if (matches(binding, routingKey, headers)) queues.add(binding.queue)
  }
  return [...queues]
}
