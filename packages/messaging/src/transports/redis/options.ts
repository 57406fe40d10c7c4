/** What a Redis transport can be told: Kombu's names in camelCase, checked, with the defaults. */
import { MessagingError } from '../../kernel/errors.ts'
import { tlsOptionNames } from '../../transport/tls.ts'
import type { Target } from '../../transport/transport.ts'

export interface RedisTransportOptions {
  /** `globalKeyprefix`: before every key and channel; default ''. */
  readonly prefix: string
  /** `sep`: in the keys of priorities and in bindings; default Kombu's. */
  readonly separator: string
  /** `prioritySteps`, ascending; default 0, 3, 6, 9. */
  readonly steps: readonly number[]
  readonly unackedName: string
  readonly unackedIndexName: string
  /** `fanoutPrefix`: true for `/{db}.`, a text of one's own, or false; default true. */
  readonly fanoutPrefix: string | boolean
  /** `fanoutPatterns`: the routing key is part of the channel; default true. */
  readonly fanoutPatterns: boolean
  /** `visibilityTimeout`: seconds; default 3600. Only Python's sweepers need it: leases rule here. */
  readonly visibilitySeconds: number
  /** `unackedRestoreLimit`: messages given back at one look; default 500. */
  readonly restoreLimit: number
  /** `queueOrderStrategy`; default `round_robin`. */
  readonly order: 'round_robin' | 'priority' | 'sorted'
  /** `masterName`: what the sentinels call the master. */
  readonly masterName: string | undefined
  /** `minOtherSentinels`: a sentinel that knows fewer others is not believed; default 0. */
  readonly minOtherSentinels: number
  /** `sentinelKwargs`: login at the sentinels themselves. */
  readonly sentinelLogin: { readonly username?: string; readonly password?: string }
  /** `waitReplicas`: replicas that must have a message before its publish is confirmed; default 0. */
  readonly waitReplicas: number
}

/** Read elsewhere: by clients/redis.ts and by what stands above the transport. */
const ofTheClient = [
  'family',
  'keepAlive',
  'noDelay',
  'socketTimeout',
  'socketConnectTimeout',
  'socketKeepalive',
  'virtualHost',
  ...tlsOptionNames,
]

/**
 * Kombu's options for which there is nothing to choose here: claims are one step, leases replace the
 * sweeps, nothing polls, and a session has two sockets and checks them by itself.
 */
const withoutMeaning = [
  'ackEmulation',
  'unackedMutexKey',
  'unackedMutexExpire',
  'unackedRestoreInterval',
  'unackedRestoreThrottle',
  'pollingInterval',
  'maxConnections',
  'socketKeepaliveOptions',
  'retryOnTimeout',
  'healthCheckInterval',
  'reauthCheckInterval',
  'maxRetries',
  'intervalStart',
  'intervalStep',
  'intervalMax',
  'connectRetriesTimeout',
]

export const redisOptionNames: readonly string[] = [
  'globalKeyprefix',
  'sep',
  'prioritySteps',
  'priorityOrder',
  'unackedKey',
  'unackedIndexKey',
  'fanoutPrefix',
  'fanoutPatterns',
  'visibilityTimeout',
  'unackedRestoreLimit',
  'queueOrderStrategy',
  'masterName',
  'minOtherSentinels',
  'sentinelKwargs',
  'waitReplicas',
  ...ofTheClient,
  ...withoutMeaning,
]

/** Throws `MESSAGING_OPTION_INVALID` (fatal) for an impossible value. */
export function redisOptions({ options }: Target): RedisTransportOptions {
  const text = (name: string, fallback: string): string => {
    const value = options[name] ?? fallback
    // A prefix of digits in a URL was read as a number.
    if (typeof value === 'string' || typeof value === 'number') return String(value)
    throw invalid(name, 'a text', value)
  }
  const number = (name: string, fallback: number, least: number): number => {
    const value = options[name] ?? fallback
    if (typeof value === 'number' && value >= least) return value
    throw invalid(name, `a number of at least ${least}`, value)
  }
  const order = options['queueOrderStrategy'] ?? 'round_robin'
  if (order !== 'round_robin' && order !== 'priority' && order !== 'sorted')
    throw invalid('queueOrderStrategy', "'round_robin', 'priority' or 'sorted'", order)
  const fanoutPrefix = options['fanoutPrefix'] ?? true
  if (typeof fanoutPrefix !== 'boolean' && typeof fanoutPrefix !== 'string')
    throw invalid('fanoutPrefix', 'true, false or a text', fanoutPrefix)
  return {
    prefix: text('globalKeyprefix', ''),
    separator: text('sep', '\x06\x16'),
    steps: prioritySteps(options['prioritySteps']),
    unackedName: text('unackedKey', 'unacked'),
    unackedIndexName: text('unackedIndexKey', 'unacked_index'),
    fanoutPrefix,
    fanoutPatterns: (options['fanoutPatterns'] ?? true) === true,
    visibilitySeconds: number('visibilityTimeout', 3600, 0.001),
    restoreLimit: number('unackedRestoreLimit', 500, 1),
    order,
    masterName: options['masterName'] === undefined ? undefined : text('masterName', ''),
    minOtherSentinels: number('minOtherSentinels', 0, 0),
    sentinelLogin: login(options['sentinelKwargs']),
    waitReplicas: number('waitReplicas', 0, 0),
  }
}

function prioritySteps(given: unknown = [0, 3, 6, 9]): number[] {
  // In the query of a URL: `priority_steps=0,5`.
  const steps = typeof given === 'string' ? given.split(',').map(Number) : given
  if (!Array.isArray(steps) || steps.length === 0 || !steps.every((step) => Number.isInteger(step)))
    throw invalid('prioritySteps', 'a list of whole numbers', given)
  return (steps as number[]).toSorted((a, b) => a - b)
}

function login(given: unknown = {}): { username?: string; password?: string } {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    // Not what was found: it may be the password.
    throw invalid('sentinelKwargs', 'an object with username and password', typeof given)
  const { username, password } = given as { username?: unknown; password?: unknown }
  return {
    ...(typeof username === 'string' && { username }),
    ...(typeof password === 'string' && { password }),
  }
}

function invalid(name: string, expected: string, found: unknown): MessagingError {
  return new MessagingError(
    'MESSAGING_OPTION_INVALID',
    'fatal',
    `the Redis transport option ${name} must be ${expected}, found ${JSON.stringify(found)}`,
  )
}
