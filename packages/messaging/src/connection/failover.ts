/** Which URL to try next. A strategy is an endless generator of indexes; users may bring their own. */
import { MessagingError } from '../kernel/errors.ts'

export type FailoverStrategy = 'round-robin' | 'shuffle' | FailoverFunction

/** Given the number of URLs and a source of randomness, says which comes next, for ever. */
export type FailoverFunction = (
  count: number,
  random: () => number,
) => Generator<number, never, void>

function* roundRobin(count: number): Generator<number, never, void> {
  for (let i = 0; ; i = (i + 1) % count) yield i
}

function* shuffle(count: number, random: () => number): Generator<number, never, void> {
  for (;;) {
    const order = Array.from({ length: count }, (_, i) => i)
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1))
      ;[order[i], order[j]] = [order[j]!, order[i]!]
    }
    yield* order
  }
}

/** The strategy of that name; `MESSAGING_OPTION_INVALID` for an unknown one. */
export function failover(strategy: FailoverStrategy): FailoverFunction {
  if (typeof strategy === 'function') return strategy
  if (strategy === 'round-robin') return roundRobin
  if (strategy === 'shuffle') return shuffle
  throw new MessagingError(
    'MESSAGING_OPTION_INVALID',
    'fatal',
    `failover must be 'round-robin', 'shuffle' or a function, found '${String(strategy)}'`,
  )
}
