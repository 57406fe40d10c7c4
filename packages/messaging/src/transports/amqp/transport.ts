/** AMQP 0-9-1, spoken to RabbitMQ through amqplib: `amqp://`, `amqps://` and Kombu's `pyamqp://`. */
import { connect, credentials, type Connection } from 'amqplib/callback_api'
import { withDeadline } from '../../kernel/deadline.ts'
import { MessagingError } from '../../kernel/errors.ts'
import type { Capabilities } from '../../transport/capabilities.ts'
import type { ConnectOptions, Session, Target, Transport } from '../../transport/transport.ts'
import { tlsOf, tlsOptionNames } from '../../transport/tls.ts'
import { connectError } from './faults.ts'
import { AmqpSession } from './session.ts'
import { corkWrites, socketOf } from './wire.ts'

export const capabilities: Capabilities = {
  exchangeTypes: ['direct', 'topic', 'fanout', 'headers'],
  persistent: true,
  shared: true,
  priority: 'high-first',
  delay: false,
  mandatory: true,
  messageTtl: true,
  queueExpiry: true,
  maxLength: true,
  deadLetters: true,
  exchangeBindings: true,
  consumerPriority: true,
  countsAttempts: true,
  fanoutNeedsConsumer: false,
  autoDelete: true,
  exclusiveQueues: true,
}

const ownOptions = [
  'loginMethod',
  'frameMax',
  'channelMax',
  'keepAlive',
  'noDelay',
  'clientProperties',
  // Kombu's, which mean nothing here: confirms are always on, and each operation has a deadline.
  'confirmPublish',
  'readTimeout',
  'writeTimeout',
  'maxRetries',
  'intervalStart',
  'intervalStep',
  'intervalMax',
]

/**
 * Transport options: those of TLS (transport/tls.ts), `loginMethod` (`PLAIN`, `AMQPLAIN`,
 * `EXTERNAL`), `frameMax`, `channelMax`, `keepAlive`, `noDelay`, `clientProperties`.
 */
export const amqp: Transport = {
  name: 'amqp',
  capabilities,
  options: [...tlsOptionNames, ...ownOptions],
  connect: async (options) => {
    const opening = open(options)
    const late = (): MessagingError => {
      // It may still come about; nobody wants it then.
      opening.then((session) => session.close()).catch(() => undefined)
      return new MessagingError(
        'MESSAGING_CONNECT_FAILED',
        'connection',
        `no connection to ${options.target.masked} within ${options.timeoutMs} ms`,
      )
    }
    return await withDeadline(opening, options.timeoutMs, options.ambient.clock, 'connecting', late)
  },
}

function open(options: ConnectOptions): Promise<Session> {
  const { target, heartbeatSeconds } = options
  return new Promise<Session>((resolve, reject) => {
    const fail = (error: unknown): void => reject(connectError(error, target.masked))
    try {
      const place = {
        protocol: tlsOf(target, target.scheme === 'amqps') ? 'amqps' : 'amqp',
        hostname: target.host === '' ? 'localhost' : target.host,
        ...(target.port !== undefined && { port: target.port }),
        // amqplib decodes it once more.
        vhost: encodeURIComponent(target.path === '' ? '/' : target.path),
        heartbeat: Math.ceil(heartbeatSeconds),
        ...numbers(target, ['frameMax', 'channelMax']),
      }
      connect(place, socketOptions(options), (error: Error | null, model: Connection) => {
        // All in this turn: the next event may be an error, and must find a listener.
        if (error !== null) return fail(error)
        corkWrites(socketOf(model))
        resolve(new AmqpSession(model, options))
      })
    } catch (error) {
      fail(error)
    }
  })
}

function socketOptions({ target, timeoutMs, clientName }: ConnectOptions): object {
  const { noDelay = true, keepAlive = true, clientProperties } = target.options
  return {
    ...tlsOf(target, target.scheme === 'amqps'),
    noDelay,
    keepAlive,
    timeout: timeoutMs,
    // The batches of a turn should leave without waiting for the socket to drain in between.
    writableHighWaterMark: 256 * 1024,
    credentials: login(target),
    clientProperties: {
      product: 'celeriac',
      connection_name: clientName,
      ...(typeof clientProperties === 'object' && clientProperties),
    },
  }
}

function login(target: Target): ReturnType<typeof credentials.plain | typeof credentials.external> {
  const { username = 'guest', password = 'guest', options } = target
  const { loginMethod = 'PLAIN' } = options
  switch (loginMethod) {
    case 'PLAIN':
      return credentials.plain(username, password)
    case 'AMQPLAIN':
      return credentials.amqplain(username, password)
    case 'EXTERNAL':
      return credentials.external()
    default:
      throw new MessagingError(
        'MESSAGING_OPTION_INVALID',
        'fatal',
        `the AMQP transport option loginMethod must be PLAIN, AMQPLAIN or EXTERNAL, found ${JSON.stringify(loginMethod)}`,
      )
  }
}

function numbers({ options }: Target, names: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {}
  for (const name of names) {
    const value = options[name]
    if (value === undefined) continue
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
      throw new MessagingError(
        'MESSAGING_OPTION_INVALID',
        'fatal',
        `the AMQP transport option ${name} must be a whole number, found ${JSON.stringify(value)}`,
      )
    }
    found[name] = value
  }
  return found
}
