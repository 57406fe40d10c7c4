/** What a binding key means, exchange type by exchange type. Pure. */
import type { Headers } from '../message/message.ts'
import type { Arguments } from '../topology/exchange.ts'

/** What decides of a binding: its key and its arguments. */
export interface Matchable {
  readonly routingKey: string
  readonly arguments: Arguments
}

export type Matches = (binding: Matchable, routingKey: string, headers: Headers) => boolean

/** As AMQP defines it: `*` is one word, `#` is any number of words, also none. */
export function topicMatches(pattern: string, routingKey: string): boolean {
  const words = routingKey.split('.')
  const parts = pattern.split('.')
  // reach[i]: the parts so far can match the first i words.
  let reach = [true, ...words.map(() => false)]
  for (const part of parts) {
    const next = reach.map(() => false)
    if (part === '#') {
      let seen = false
      for (let i = 0; i < reach.length; i++) next[i] = seen ||= reach[i]!
    } else {
      for (let i = 1; i < reach.length; i++)
        next[i] = reach[i - 1]! && (part === '*' || part === words[i - 1])
    }
    reach = next
  }
  return reach[words.length]!
}

/** `x-match: all` (default) or `any`; arguments that begin with `x-` are not compared. */
function headersMatch(binding: Matchable, headers: Headers): boolean {
  const wanted = Object.entries(binding.arguments).filter(([name]) => !name.startsWith('x-'))
  const hit = ([name, value]: [string, unknown]): boolean =>
    name in headers && (value === null || value === undefined || headers[name] === value)
  return binding.arguments['x-match'] === 'any' ? wanted.some(hit) : wanted.every(hit)
}

export const matchers: Readonly<Record<string, Matches | undefined>> = {
  direct: (binding, routingKey) => binding.routingKey === routingKey,
  topic: (binding, routingKey) => topicMatches(binding.routingKey, routingKey),
  fanout: () => true,
  headers: (binding, _routingKey, headers) => headersMatch(binding, headers),
}
