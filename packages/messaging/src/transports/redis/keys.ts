/**
 * Every key and channel name on a Redis broker, in one place. Some are Kombu's and shared with Python; what
 * is ours lies under `celeriac:`. In a cluster, where Kombu has no layout, all keys of one queue carry its
 * name as their hash tag, so that they lie on one server and the queues on all.
 */
import type { Target } from '../../transport/transport.ts'
import { redisDatabase } from '../../clients/redis.ts'
import { boundedPriority } from '../../virtual/priorities.ts'
import { parkedFor, parkedQueue } from '../../virtual/store.ts'
import { redisOptions } from './options.ts'

/** Keys of claims and leases: of all queues together, or in a cluster of one. */
export interface PartitionKeys {
  readonly unacked: string
  readonly unackedIndex: string
  /** Zset session → end of its lease (ms); ours. */
  readonly sessions: string
  /** Set of sessions whose lease ended and whose messages are being given back; ours. */
  readonly dead: string
  /** Before the name of a session: set of the tags it holds; ours. */
  readonly heldPrefix: string
  /** Where texts go that are no messages, and where those go that were found there. */
  readonly parked: string
  readonly unreadable: string
}

export interface RedisKeys {
  /** Queues are spread over the servers of a cluster. */
  readonly isSpread: boolean
  readonly separator: string
  partition(queue: string): PartitionKeys
  /** Zset queue → the end of a queue that ends when nobody uses it (ms); ours. */
  readonly expiring: string
  /** Before the name of such a queue: set of what goes with it; ours. */
  readonly ownedPrefix: string
  binding(exchange: string): string
  /** The list of a queue for messages of one priority step. */
  list(queue: string, step: number): string
  /** Priority steps, in the order in which they are served. */
  readonly steps: readonly number[]
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
export function redisKeys(target: Target, isSpread = false): RedisKeys {
  const { prefix, separator, steps, unackedName, unackedIndexName, fanoutPrefix, fanoutPatterns } =
    redisOptions(target)
  const db = String(redisDatabase(target))
  const channelPrefix =
    fanoutPrefix === true
      ? `/${db}.`
      : fanoutPrefix === false
        ? ''
        : fanoutPrefix.replace('{db}', db)
  const base = (queue: string): string => prefix + (isSpread ? tagged(queue) : queue)
  const list = (queue: string, step: number): string =>
    step === 0 ? base(queue) : `${base(queue)}${separator}${step}`
  const channel = (exchange: string, routingKey: string): string =>
    fanoutPatterns && routingKey !== ''
      ? `${prefix}${channelPrefix}${exchange}/${routingKey}`
      : `${prefix}${channelPrefix}${exchange}`
  const own = `${prefix}celeriac:${unackedName}:`
  const whole: PartitionKeys = {
    unacked: prefix + unackedName,
    unackedIndex: prefix + unackedIndexName,
    sessions: `${own}sessions`,
    dead: `${own}dead`,
    heldPrefix: `${own}held:`,
    parked: list(parkedQueue, 0),
    unreadable: list(parkedFor(parkedQueue), 0),
  }
  // Bindings and the ends of queues change together, so they share a slot.
  const shared = isSpread ? `${prefix}{celeriac}` : prefix
  return {
    isSpread,
    separator,
    steps,
    partition: isSpread ? (queue) => partitionOf(base(queue), unackedName) : () => whole,
    expiring: `${shared}celeriac:${unackedName}:expiring`,
    ownedPrefix: `${shared}celeriac:${unackedName}:owned:`,
    binding: (exchange) => `${shared}_kombu.binding.${exchange}`,
    list,
    lists: (queue) => steps.map((step) => list(queue, step)),
    step(priority) {
      const clamped = Math.min(boundedPriority(priority), 9)
      return steps.findLast((step) => step <= clamped) ?? steps[0]!
    },
    channel,
    pattern: (exchange, routingKey) => channel(exchange, routingKey).replaceAll('#', '*'),
  }
}

/** The name in braces: what stands between the first pair decides where a key lies. */
function tagged(queue: string): string {
  // An empty pair would count for nothing, and the keys of the queue would scatter.
  return queue === '' || queue.startsWith('}') ? `{:${queue}}` : `{${queue}}`
}

function partitionOf(base: string, unackedName: string): PartitionKeys {
  const own = `${base}:celeriac:${unackedName}`
  return {
    unacked: own,
    unackedIndex: `${own}:index`,
    sessions: `${own}:sessions`,
    dead: `${own}:dead`,
    heldPrefix: `${own}:held:`,
    parked: `${own}:parked`,
    unreadable: `${own}:parked`,
  }
}
