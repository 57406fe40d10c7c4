/** Bindings as Kombu keeps them in Redis: members `routing key SEP pattern SEP queue` of a set. */
import type { Binding } from '../../topology/binding.ts'
import type { ExchangeType } from '../../topology/exchange.ts'
import { kombuPattern } from '../../virtual/kombu-pattern.ts'

export function encodeBinding(binding: Binding, type: ExchangeType, separator: string): string {
  const pattern = type === 'topic' ? kombuPattern(binding.routingKey) : ''
  return [binding.routingKey, pattern, binding.queue].join(separator)
}

/** Undefined for a member that is none; `isTopic` tells that it carries a pattern. */
export function decodeBinding(
  exchange: string,
  member: string,
  separator: string,
): { readonly binding: Binding; readonly isTopic: boolean } | undefined {
  const parts = member.split(separator)
  if (parts.length < 3) return undefined
  const [routingKey, pattern, queue] = parts as [string, string, string]
  return { binding: { exchange, queue, routingKey, arguments: {} }, isTopic: pattern !== '' }
}
