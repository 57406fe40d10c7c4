/**
 * The one door to ioredis: turns a target into clients that never reconnect by themselves (the connection
 * above does that), whose commands have a deadline and leave together, one write for each turn.
 */
import { Redis, type RedisOptions } from 'ioredis'
import { withDeadline } from '../kernel/deadline.ts'
import { MessagingError, messageOf, type MessagingCode } from '../kernel/errors.ts'
import { tlsOf } from '../transport/tls.ts'
import type { ConnectOptions, Target } from '../transport/transport.ts'

export type RedisClient = Redis

type ClientOptions = RedisOptions & { replyMapping?: 'legacy' }

/** Options of this package that ioredis also has, by the same name. */
const passedThrough = ['family', 'keepAlive', 'noDelay'] as const

/** Kombu's options in seconds; undefined when left out. */
function secondsOf(target: Target, name: string): number | undefined {
  const value = target.options[name]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && value > 0) return value
  throw new MessagingError(
    'MESSAGING_OPTION_INVALID',
    'fatal',
    `the Redis transport option ${name} must be a number of seconds, found ${JSON.stringify(value)}`,
  )
}

/** Database of a Redis URL: its path, or the option `virtualHost` for sockets, else 0. */
export function redisDatabase(target: Target): number {
  const text = target.scheme.endsWith('+socket')
    ? (target.options['virtualHost'] ?? 0)
    : target.path === ''
      ? 0
      : target.path
  const db = Number(text)
  if (Number.isInteger(db) && db >= 0) return db
  throw new MessagingError(
    'MESSAGING_URL_INVALID',
    'fatal',
    `the path of '${target.masked}' must be the number of a Redis database, found ${JSON.stringify(text)}`,
  )
}

function redisOptions({
  target,
  timeoutMs,
  heartbeatSeconds,
  clientName,
}: ConnectOptions): ClientOptions {
  const socket = target.scheme.endsWith('+socket')
  const tls = tlsOf(target, target.scheme.startsWith('rediss'))
  const deadlineSeconds = secondsOf(target, 'socketTimeout') ?? heartbeatSeconds
  const connectMs = (secondsOf(target, 'socketConnectTimeout') ?? Infinity) * 1000
  const options: ClientOptions = {
    ...(socket
      ? { path: `/${target.host ? `${target.host}/` : ''}${target.path}` }
      : { host: target.host === '' ? '127.0.0.1' : target.host, port: target.port ?? 6379 }),
    db: redisDatabase(target),
    ...(target.username !== undefined && { username: target.username }),
    ...(target.password !== undefined && { password: target.password }),
    ...(tls && { tls }),
    connectionName: clientName,
    connectTimeout: Math.min(timeoutMs, connectMs),
    // RESP3 would turn replies and invalidations into other shapes; servers from 6.0 on speak RESP2 too.
    protocol: 2,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    // A server that still loads its data says how long it may take, and ioredis would wait that long.
    maxLoadingRetryTime: 100,
    ...(deadlineSeconds > 0 && { commandTimeout: deadlineSeconds * 1000 }),
    ...(target.options['socketKeepalive'] === true && { keepAlive: 1 }),
  }
  // Only a number switches it on, and left out it is one.
  if (target.options['socketKeepalive'] === false) Object.assign(options, { keepAlive: null })
  for (const name of passedThrough) {
    if (target.options[name] !== undefined) Object.assign(options, { [name]: target.options[name] })
  }
  return options
}

/**
 * Comes back by itself, with its subscriptions; what is asked meanwhile waits, at most its deadline. What
 * was under way is asked again, so it must do no harm twice.
 */
const reconnecting = {
  enableOfflineQueue: true,
  autoResubscribe: true,
  autoResendUnfulfilledCommands: true,
  maxRetriesPerRequest: null,
  retryStrategy: (attempt: number): number => Math.min(50 * 2 ** attempt, 1000),
} as const

/**
 * Connects and logs in; rejects with a typed error whose fault says whether to try again. Without
 * `reconnect` a client whose link breaks is over.
 */
export async function openRedis(
  options: ConnectOptions,
  { reconnect = false }: { reconnect?: boolean } = {},
): Promise<RedisClient> {
  const client = new Redis({
    ...redisOptions(options),
    ...(reconnect && {
      ...reconnecting,
      // A link that died in silence would only time out one command after the other.
      ...(options.heartbeatSeconds > 0 && { socketTimeout: options.heartbeatSeconds * 1000 }),
    }),
  })
  // Without a listener an error event would end the process; the commands reject anyway.
  let last: Error | undefined
  client.on('error', (error: Error) => (last = error))
  try {
    // ioredis counts only until the socket is open: a frozen server would keep one for every attempt.
    await withDeadline(client.connect(), options.timeoutMs, options.ambient.clock, '', () => {
      const why = `no answer from ${options.target.masked} within ${options.timeoutMs} ms`
      return new MessagingError('MESSAGING_CONNECT_FAILED', 'connection', why)
    })
    // ioredis hides it when the server refuses the database, and goes on in number 0.
    if (client.options.db) await client.select(client.options.db)
    return client
  } catch (error) {
    // For a socket that is closed already, ioredis would keep the process waiting for 2 s.
    if (client.status !== 'end') client.disconnect()
    throw redisError(last ?? error, `connecting to ${options.target.masked}`, true)
  }
}

/** Resolves when the link of this client is over. */
export function redisEnded(client: RedisClient): Promise<Error> {
  return new Promise((resolve) => {
    let last: Error | undefined
    client.on('error', (error: Error) => (last = error))
    client.once('end', () => resolve(last ?? new Error('the server closed the connection')))
  })
}

/**
 * Ends a link at once. Only one that is open: for a socket that is closed already, ioredis would keep the
 * process waiting for 2 s.
 */
export function hangUp(client: RedisClient): void {
  const stream = client.stream as RedisClient['stream'] | undefined
  if (client.status === 'end' || stream?.destroyed) return
  client.disconnect()
  // What mattered was answered; a server that stands still would never take its leave.
  stream?.destroy()
}

/** Holds back what is written in this turn of the event loop, so that it leaves in one packet. */
export class Cork {
  readonly #client: RedisClient
  #corked = false

  constructor(client: RedisClient) {
    this.#client = client
  }

  hold(): void {
    if (this.#corked) return
    const { stream } = this.#client
    if (stream.destroyed) return
    this.#corked = true
    stream.cork()
    setImmediate(() => {
      this.#corked = false
      stream.uncork()
    })
  }
}

/** ioredis error → typed error with its fault. */
export function redisError(error: unknown, what: string, connecting = false): MessagingError {
  if (MessagingError.is(error)) return error
  const text = messageOf(error)
  const make = (code: MessagingCode, fault: MessagingError['fault'], hint = ''): MessagingError =>
    new MessagingError(code, fault, `${what}: ${text}${hint}`, { cause: error })
  if (/^(WRONGPASS|NOAUTH|ERR AUTH|ERR invalid password)/.test(text))
    return make('MESSAGING_AUTHENTICATION_FAILED', 'fatal', '; check user and password of the URL')
  // The second is what a script hears.
  if (text.startsWith('NOPERM') || text.includes("executing the script can't run"))
    return make('MESSAGING_AUTHENTICATION_FAILED', 'fatal')
  if (/^ERR (DB index|invalid DB)/.test(text)) return make('MESSAGING_URL_INVALID', 'fatal')
  if (text.startsWith('OOM'))
    return make('MESSAGING_PUBLISH_REFUSED', 'message', '; the server has reached its maxmemory')
  if (text.startsWith('WRONGTYPE'))
    return make('MESSAGING_PUBLISH_REFUSED', 'message', '; the key is used for something else')
  return make(connecting ? 'MESSAGING_CONNECT_FAILED' : 'MESSAGING_CONNECTION_LOST', 'connection')
}
