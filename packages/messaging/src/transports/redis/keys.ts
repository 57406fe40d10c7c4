/**
 * Every key and channel name on a Redis broker, in one place. The first group is Kombu's and shared with
 * Python; what is ours lies under `celeriac:`.
 */
import type { Target } from '../../transport/transport.ts'
import { redisDatabase } from '../../clients/redis.ts'
import { MessagingError } from '../../kernel/errors.ts'

export interface RedisKeys {
  readonly separator: string
  readonly steps: readonly number[]
  readonly unacked: string
  readonly unackedIndex: string
  /** Zset session → end of its lease (ms); ours. */
  readonly sessions: string
  /** Set of sessions whose lease ended and whose messages are being given back; ours. */
  readonly dead: string
  /** Set of the tags a session holds; ours. */
  held(session: string): string
  readonly heldPrefix: string
  binding(exchange: string): string
  /** The list of a queue for messages of one priority step. */
  list(queue: string, step: number): string
  /** All lists of a queue, served in this order. */
  lists(queue: string): string[]
  /** The step a priority belongs to. */
  step(priority: number | undefined): number
  /** Channel of a fanout, for publishing. */
  channel(exchange: string, routingKey: string): string
  /** Pattern of a fanout, for subscribing. */
  pattern(exchange: string, routingKey: string): string
}

/** Reads Kombu's naming options: globalKeyprefix, sep, prioritySteps, unackedKey, fanoutPrefix …. */
export function redisKeys(target: Target): RedisKeys {
  const { options } = target
  const text = (name: string, fallback: string): string => {
    const value = options[name] ?? fallback
    if (typeof value === 'string') return value
    throw invalid(name, 'a text', value)
  }
  const prefix = text('globalKeyprefix', '')
  const separator = text('sep', '\x06\x16')
  const steps = options['prioritySteps'] ?? [0, 3, 6, 9]
  if (!Array.isArray(steps) || steps.length === 0 || !steps.every((s) => Number.isInteger(s)))
    throw invalid('prioritySteps', 'a list of whole numbers', steps)
  const sorted = (steps as number[]).toSorted((a, b) => a - b)
  const unackedName = text('unackedKey', 'unacked')
  const own = `${prefix}celeriac:${unackedName}:`
  const fanoutPrefix = options['fanoutPrefix'] ?? true
  const channelPrefix =
    fanoutPrefix === true
      ? `/${redisDatabase(target)}.`
      : typeof fanoutPrefix === 'string'
        ? fanoutPrefix.replace('{db}', String(redisDatabase(target)))
        : ''
  const patterns = options['fanoutPatterns'] ?? true
  const list = (queue: string, step: number): string =>
    step === 0 ? `${prefix}${queue}` : `${prefix}${queue}${separator}${step}`
  const channel = (exchange: string, routingKey: string): string =>
    patterns === true && routingKey !== ''
      ? `${prefix}${channelPrefix}${exchange}/${routingKey}`
      : `${prefix}${channelPrefix}${exchange}`
  return {
    separator,
    steps: sorted,
    unacked: prefix + unackedName,
    unackedIndex: prefix + text('unackedIndexKey', 'unacked_index'),
    sessions: `${own}sessions`,
    dead: `${own}dead`,
    heldPrefix: `${own}held:`,
    held: (session) => `${own}held:${session}`,
    binding: (exchange) => `${prefix}_kombu.binding.${exchange}`,
    list,
    lists: (queue) => sorted.map((step) => list(queue, step)),
    step(priority) {
      const clamped = Math.min(Math.max(priority ?? 0, 0), 9)
      return sorted.findLast((step) => step <= clamped) ?? sorted[0]!
    },
    channel,
    pattern: (exchange, routingKey) => channel(exchange, routingKey).replaceAll('#', '*'),
  }
}

function invalid(name: string, expected: string, found: unknown): MessagingError {
  return new MessagingError(
    'MESSAGING_OPTION_INVALID',
    'fatal',
    `the Redis transport option ${name} must be ${expected}, found ${JSON.stringify(found)}`,
  )
}
