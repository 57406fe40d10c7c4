/** AMQP 0-9-1, spoken to RabbitMQ through amqplib: `amqp://`, `amqps://` and Kombu's `pyamqp://`. */
import { connect, type Connection } from 'amqplib/callback_api'
import { withDeadline } from '../../kernel/deadline.ts'
import { MessagingError } from '../../kernel/errors.ts'
import type { Capabilities } from '../../transport/capabilities.ts'
import type { ConnectOptions, Session, Transport } from '../../transport/transport.ts'
import { tlsOf, tlsOptionNames } from '../../transport/tls.ts'
import { connectError } from './faults.ts'
import { answerMs, ladderOptions, login, numbers, ownOptions } from './options.ts'
import { AmqpSession } from './session.ts'
import { corkWrites, socketOf } from './wire.ts'

export const capabilities: Capabilities = {
  exchangeTypes: ['direct', 'topic', 'fanout', 'headers'],
  persistent: true,
  shared: true,
  priority: 'high-first',
  delay: false,
  delayedPublish: true,
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

/**
 * Transport options: those of TLS (transport/tls.ts), `loginMethod` (`PLAIN`, `AMQPLAIN`,
 * `EXTERNAL`), `frameMax`, `channelMax`, `keepAlive`, `noDelay`, `clientProperties`, `readTimeout`
 * (seconds the broker may take to answer a request, default 20), `delayQueueType`
 * (`quorum`, `classic`) and `delayPrefix` of the ladder for delayed messages.
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
      // Told now, not when the link is open.
      ladderOptions(target)
      answerMs(target)
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
