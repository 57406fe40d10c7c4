/** What the URL, `resultBackendTransportOptions` and the settings `redis…` say of the servers. Pure. */
import {
  gatherTargets,
  redisOptionNames,
  redisOptions,
  splitUrls,
  type Target,
} from '@celeriac/messaging/internal'
import type { BackendOptions } from '../../backend/backend.ts'
import { asConfig, backendTarget, badBackend, knownOptions } from '../failures.ts'

export interface RedisSettings {
  readonly target: Target
  readonly kind: 'single' | 'sentinel' | 'cluster'
  /** Longest an operation may take, and connecting. */
  readonly timeoutMs: number
  readonly connectMs: number
  /** Between looks at a link on which nothing moves while somebody waits. */
  readonly checkMs: number
  readonly clientName: string
  readonly prefix: string
  /** Parts of chords come back in the order of the group; else as they ended. */
  readonly isOrdered: boolean
}

const schemes = ['redis', 'rediss', 'redis+socket', 'sentinel', 'redis+cluster', 'rediss+cluster']
const kinds = [
  [/cluster$/, 'cluster'],
  [/^sentinel$/, 'sentinel'],
  [/./, 'single'],
] as const

/** Beside those of the transport; of the second line nothing is to be chosen here. */
const optionNames = ['resultChordOrdered', 'db', 'clientName', 'username', 'password']
const passedOver = ['retryPolicy', 'connectionPool', 'decodeResponses', 'encoding', 'protocol']

const defaultSeconds = 10
const defaultConnectSeconds = 4
const defaultCheckSeconds = 5

/** Throws `TASKS_CONFIG_INVALID`. */
export function redisSettings({ url, options, config }: BackendOptions): RedisSettings {
  const target = targetOf(url, options, config)
  knownOptions(
    target.options,
    [...redisOptionNames, ...optionNames, ...passedOver],
    'the results on Redis',
  )
  const kind = kinds.find(([pattern]) => pattern.test(target.scheme))![1]
  const { prefix, masterName } = asConfig(() => redisOptions(target))
  if (kind === 'sentinel' && (masterName ?? '') === '')
    throw badBackend(
      `the option masterName is missing: which master do the sentinels of ${target.masked} watch? Set it in resultBackendTransportOptions`,
    )
  const database = target.path === '' ? '0' : target.path
  if (kind === 'cluster' && database !== '0')
    throw badBackend(`a Redis Cluster has the database 0 only; take the path off ${target.masked}`)
  if (target.scheme !== 'redis+socket' && !/^\d+$/.test(database))
    throw badBackend(`the path of ${target.masked} must be the number of a Redis database`)
  const seconds = (name: string, setting: number | undefined, fallback: number): number => {
    const value = target.options[name] ?? setting ?? fallback
    if (typeof value === 'number' && value > 0) return value * 1000
    throw badBackend(`${name} must be a number of seconds, found ${JSON.stringify(value)}`)
  }
  const name = target.options['clientName'] ?? config.redisClientName ?? 'celeriac-results'
  return {
    target,
    kind,
    timeoutMs: seconds('socketTimeout', config.redisSocketTimeout, defaultSeconds),
    connectMs: seconds(
      'socketConnectTimeout',
      config.redisSocketConnectTimeout ?? config.brokerConnectionTimeout,
      defaultConnectSeconds,
    ),
    checkMs: seconds(
      'healthCheckInterval',
      config.redisBackendHealthCheckInterval || undefined,
      defaultCheckSeconds,
    ),
    clientName: String(name as string | number),
    prefix,
    isOrdered: (target.options['resultChordOrdered'] ?? true) === true,
  }
}

function targetOf(
  url: string,
  options: BackendOptions['options'],
  config: BackendOptions['config'],
): Target {
  const keepalive = { socketKeepalive: config.redisSocketKeepalive ?? true }
  const targets = asConfig(() => splitUrls(url)).map((one) =>
    backendTarget(one, schemes, { ...keepalive, ...options }, portOf),
  )
  const [target, ...others] = gatherTargets(targets, (scheme) => /sentinel|cluster/.test(scheme))
  if (!target || others.length > 0)
    throw badBackend('results lie on one Redis server; several belong to sentinel or redis+cluster')
  // The old settings fill what the URL leaves open; as in Celery, the database only without a URL.
  const { redisHost, redisPort, redisDb, redisUsername, redisPassword } = config
  // As in Celery, the query goes before what stands in front of it.
  const { db, username, password } = target.options
  const text = (value: unknown): string | undefined =>
    value === undefined || value === null ? undefined : String(value as string | number)
  const path = text(db) ?? (url.includes('://') ? target.path : String(redisDb ?? ''))
  const isOpen = target.host === '' && target.scheme !== 'redis+socket'
  return {
    ...target,
    host: isOpen ? (redisHost ?? '127.0.0.1') : target.host,
    port: isOpen && redisPort !== undefined ? redisPort : target.port,
    path: target.scheme === 'redis+socket' ? target.path : path,
    username: text(username) ?? target.username ?? redisUsername,
    password: text(password) ?? target.password ?? redisPassword,
  }
}

function portOf(scheme: string): number {
  return scheme === 'sentinel' ? 26_379 : 6379
}
