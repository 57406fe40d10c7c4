// Mistakes people make: each is named within two seconds, by a stable code and with words that help.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Connection, ConnectionPool, exchange, queue, silentLogger } from '@celeriac/messaging'
import type { ConnectionOptions, MessagingCode } from '@celeriac/messaging'
import { afterEach, describe, expect, it } from '@jest/globals'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

function connect(url: string, options: object = {}): Connection {
  const connection = new Connection(url, {
    ambient: { log: silentLogger },
    ...options,
  } as ConnectionOptions)
  open.push(connection)
  return connection
}

type Mistake = readonly [what: string, code: MessagingCode, says: string, make: () => unknown]

/** Each has two seconds. */
function named(mistakes: readonly Mistake[]): void {
  it.each(mistakes)(
    '%s: %s',
    async (_, code, says, make) => {
      const error = await Promise.resolve()
        .then(make)
        .then(
          () => new Error('nothing was refused'),
          (thrown: unknown) => thrown,
        )

      expect(error).toMatchObject({ code })
      expect((error as Error).message).toContain(says)
      expect((error as Error).message).not.toContain('s3cret')
    },
    2000,
  )
}

const connecting =
  (url: string, options?: object): Mistake[3] =>
  () =>
    connect(url, options).connect()
const declaring =
  (url: string, ...queues: ReturnType<typeof queue>[]): Mistake[3] =>
  async () => {
    const channel = await connect(url).channel()
    for (const one of queues) await channel.declareQueue(one)
  }
const publishing =
  (value: unknown, options: object = {}, url = 'memory://mistakes'): Mistake[3] =>
  () =>
    connect(url)
      .producer()
      .publish(value, { routingKey: 'q', ...options })
const through = (url: string, change: (parsed: URL) => void): string => {
  const parsed = new URL(url)
  change(parsed)
  return parsed.href
}

describe('what is wrong before any broker is asked', () => {
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-mistakes-'))
  const plain = join(folder, 'plain.txt')
  writeFileSync(plain, 'no database, but long enough to look at')

  named([
    ['no URL', 'MESSAGING_URL_INVALID', 'no broker URL', connecting('')],
    ['only separators', 'MESSAGING_URL_INVALID', 'no broker URL', connecting(' ; ')],
    ['a misspelt scheme', 'MESSAGING_URL_INVALID', 'redis', connecting('reddis://localhost')],
    ['a scheme of the web', 'MESSAGING_URL_INVALID', 'Known:', connecting('http://localhost')],
    ['a bad port', 'MESSAGING_URL_INVALID', 'scheme://', connecting('redis://localhost:port')],
    ['a port too high', 'MESSAGING_URL_INVALID', 'scheme://', connecting('amqp://h:99999')],
    ['bad percents', 'MESSAGING_URL_INVALID', 'percent', connecting('amqp://u:%zz@h')],
    ['an open bracket', 'MESSAGING_URL_INVALID', 'scheme://', connecting('redis://[::1')],
    [
      'an unknown option of the connection',
      'MESSAGING_OPTION_INVALID',
      "'heartbeat'",
      connecting('memory://', { hartbeat: 5 }),
    ],
    [
      'a negative heartbeat',
      'MESSAGING_OPTION_INVALID',
      'heartbeat',
      connecting('memory://', { heartbeat: -1 }),
    ],
    [
      'a text for a number',
      'MESSAGING_OPTION_INVALID',
      'connectTimeout',
      connecting('memory://', { connectTimeout: '4' }),
    ],
    [
      'no time to connect',
      'MESSAGING_OPTION_INVALID',
      'connectTimeout',
      connecting('memory://', { connectTimeout: 0 }),
    ],
    [
      'no room for publishes',
      'MESSAGING_OPTION_INVALID',
      'publishBuffer',
      connecting('memory://', { publishBuffer: 0 }),
    ],
    [
      'NaN for a limit',
      'MESSAGING_OPTION_INVALID',
      'bodyLimit',
      connecting('memory://', { bodyLimit: NaN }),
    ],
    [
      'an unknown failover strategy',
      'MESSAGING_OPTION_INVALID',
      'round-robin',
      connecting('memory://', { failover: 'random' }),
    ],
    [
      'an unknown content to accept',
      'MESSAGING_CONTENT_UNKNOWN',
      'json',
      connecting('memory://', { accept: ['jsn'] }),
    ],
    [
      'a bad heartbeat in the URL',
      'MESSAGING_OPTION_INVALID',
      'heartbeat',
      connecting('memory://?heartbeat=soon'),
    ],
    [
      'an unknown option of memory',
      'MESSAGING_OPTION_INVALID',
      'pollingInterval',
      connecting('memory://?poling_interval=1'),
    ],
    [
      'an unknown option of SQLite',
      'MESSAGING_OPTION_INVALID',
      'synchronous',
      connecting(`sqlite://${folder}/a.db?synchronus=FULL`),
    ],
    [
      'a bad value for SQLite',
      'MESSAGING_OPTION_INVALID',
      'NORMAL or FULL',
      connecting(`sqlite://${folder}/a.db?synchronous=MAYBE`),
    ],
    [
      'a file that is no database',
      'MESSAGING_CONNECT_FAILED',
      'plain.txt',
      connecting(`sqlite://${plain}`),
    ],
    [
      'a folder that cannot be made',
      'MESSAGING_CONNECT_FAILED',
      'plain.txt',
      connecting(`sqlite://${plain}/inside/b.db`),
    ],
    [
      'an unknown option of Redis',
      'MESSAGING_OPTION_INVALID',
      'visibilityTimeout',
      connecting('redis://127.0.0.1:1?visibility_timout=30'),
    ],
    [
      'an unknown option of RabbitMQ',
      'MESSAGING_OPTION_INVALID',
      'loginMethod',
      connecting('amqp://127.0.0.1:1', { transportOptions: { loginMetod: 'PLAIN' } }),
    ],
    [
      'an unknown login method',
      'MESSAGING_OPTION_INVALID',
      'EXTERNAL',
      connecting('amqp://127.0.0.1:1?login_method=KERBEROS'),
    ],
    [
      'a certificate that is not there',
      'MESSAGING_OPTION_INVALID',
      'cannot be read',
      connecting('rediss://127.0.0.1:1?ssl_ca_certs=/no/such/file'),
    ],
    [
      'a misspelt TLS key',
      'MESSAGING_OPTION_INVALID',
      'sslCaCerts',
      connecting('rediss://127.0.0.1:1?ssl_ca_cert=/x'),
    ],
    [
      'an unknown demand on certificates',
      'MESSAGING_OPTION_INVALID',
      'required, optional or none',
      connecting('rediss://127.0.0.1:1?ssl_cert_reqs=sometimes'),
    ],
    [
      'TLS switched off where the scheme asks for it',
      'MESSAGING_OPTION_INVALID',
      'switch it off',
      connecting('amqps://127.0.0.1:1?ssl=false'),
    ],
    [
      'a database that is no number',
      'MESSAGING_URL_INVALID',
      'number of a Redis database',
      connecting('redis://127.0.0.1:1/main'),
    ],
    [
      'nobody listening',
      'MESSAGING_CONNECT_FAILED',
      '127.0.0.1:1',
      connecting('redis://u:s3cret@127.0.0.1:1'),
    ],
    [
      'nobody listening there either',
      'MESSAGING_CONNECT_FAILED',
      '127.0.0.1:1',
      connecting('amqp://u:s3cret@127.0.0.1:1'),
    ],
    [
      'a pool of nothing',
      'MESSAGING_OPTION_INVALID',
      'limit',
      () => new ConnectionPool('memory://', {}, { limit: 0 }),
    ],
    [
      'a loop that runs nothing',
      'MESSAGING_OPTION_INVALID',
      'concurrency',
      () => connect('memory://').loop('q', () => undefined, { concurrency: 0 }),
    ],
    [
      'an unknown serializer',
      'MESSAGING_CONTENT_UNKNOWN',
      'msgpack',
      publishing(1, { serializer: 'msgpak' }),
    ],
    [
      'an unknown compressor',
      'MESSAGING_CONTENT_UNKNOWN',
      'zstd',
      publishing(1, { compression: 'zsd' }),
    ],
    ['a value that is no JSON', 'MESSAGING_ENCODE_FAILED', 'json', publishing(() => 1)],
    [
      'an object under a content type',
      'MESSAGING_ENCODE_FAILED',
      'raw',
      publishing({ a: 1 }, { contentType: 'text/plain' }),
    ],
    [
      'a mandatory message nobody takes',
      'MESSAGING_UNROUTABLE',
      "'q'",
      publishing(1, { mandatory: true }, `memory://${uniqueName('m')}`),
    ],
    [
      'a queue argument nobody honours',
      'MESSAGING_NOT_SUPPORTED',
      'x-delivery-limit',
      declaring('memory://mistakes', queue('limited', { deliveryLimit: 3 })),
    ],
    [
      'a misspelt queue argument',
      'MESSAGING_NOT_SUPPORTED',
      'x-mesage-ttl',
      declaring('memory://mistakes', queue('typo', { arguments: { 'x-mesage-ttl': 5 } })),
    ],
    [
      'a queue declared as another',
      'MESSAGING_DECLARATION_REFUSED',
      'x-message-ttl',
      declaring(
        'memory://mistakes',
        queue('twice', { messageTtlMs: 1 }),
        queue('twice', { messageTtlMs: 2 }),
      ),
    ],
    [
      'an exchange declared as another type',
      'MESSAGING_DECLARATION_REFUSED',
      'topic',
      async () => {
        const channel = await connect('memory://mistakes').channel()
        await channel.declareExchange(exchange('type', { type: 'topic' }))
        await channel.declareExchange(exchange('type', { type: 'fanout' }))
      },
    ],
    [
      'an exchange type of a plug-in',
      'MESSAGING_NOT_SUPPORTED',
      'x-consistent-hash',
      async () => {
        const channel = await connect('memory://mistakes').channel()
        await channel.declareExchange(exchange('hash', { type: 'x-consistent-hash' }))
      },
    ],
    [
      'a consumer with a priority where there is none',
      'MESSAGING_NOT_SUPPORTED',
      'x-priority',
      () =>
        connect('memory://mistakes')
          .consumer({ queues: ['q'], priority: 3, onDeliveries: () => undefined })
          .start(),
    ],
    [
      'durable and exclusive at once',
      'MESSAGING_OPTION_INVALID',
      'queueDurable',
      () => connect('memory://').mailbox('x', { queueDurable: true, queueExclusive: true }),
    ],
    [
      'a closed connection',
      'MESSAGING_CONNECTION_CLOSED',
      'closed',
      async () => {
        const connection = connect('memory://')
        await connection.close()
        connection.producer()
      },
    ],
    [
      'a delivery settled twice',
      'MESSAGING_ALREADY_SETTLED',
      'once',
      async () => {
        const connection = connect(`memory://${uniqueName('settle')}`)
        await connection.producer().publish(1, { routingKey: 'q' })
        const channel = await connection.channel()
        const delivery = await channel.get('q')
        await delivery!.ack()
        await delivery!.ack()
      },
    ],
  ])
})

describeWith('redis', 'what Redis refuses', () => {
  named([
    [
      'a database beyond the last',
      'MESSAGING_URL_INVALID',
      'out of range',
      connecting(through(urlOf('redis'), (url) => (url.pathname = '/9999'))),
    ],
    [
      'a wrong password',
      'MESSAGING_AUTHENTICATION_FAILED',
      '127.0.0.1',
      connecting(
        through(urlOf('redis'), (url) => {
          url.username = 'nobody'
          url.password = 's3cret'
        }),
      ),
    ],
    [
      'TLS where none is spoken',
      'MESSAGING_CONNECT_FAILED',
      '127.0.0.1',
      connecting(urlOf('redis').replace('redis://', 'rediss://'), { connectTimeout: 1 }),
    ],
    [
      'AMQP spoken to Redis',
      'MESSAGING_CONNECT_FAILED',
      '127.0.0.1',
      connecting(urlOf('redis').replace('redis://', 'amqp://'), { connectTimeout: 1 }),
    ],
    [
      'a headers exchange',
      'MESSAGING_NOT_SUPPORTED',
      'headers',
      async () => {
        const channel = await connect(urlOf('redis')).channel()
        await channel.declareExchange(exchange(uniqueName('x'), { type: 'headers' }))
      },
    ],
    [
      'a dead-letter exchange',
      'MESSAGING_NOT_SUPPORTED',
      'x-dead-letter-exchange',
      declaring(urlOf('redis'), queue(uniqueName('q'), { deadLetterExchange: 'x' })),
    ],
  ])
})

describeWith('rabbitmq', 'what RabbitMQ refuses', () => {
  const name = uniqueName('declared')
  named([
    [
      'a wrong password',
      'MESSAGING_AUTHENTICATION_FAILED',
      'ACCESS_REFUSED',
      connecting(through(urlOf('rabbitmq'), (url) => (url.password = 's3cret'))),
    ],
    [
      'a virtual host that is not there',
      'MESSAGING_CONNECT_FAILED',
      'nowhere',
      connecting(through(urlOf('rabbitmq'), (url) => (url.pathname = '/nowhere'))),
    ],
    [
      'Redis spoken to RabbitMQ',
      'MESSAGING_CONNECT_FAILED',
      '127.0.0.1',
      connecting(urlOf('rabbitmq').replace(/^amqp:\/\/[^@]*@/, 'redis://'), { connectTimeout: 1 }),
    ],
    [
      'a queue declared as another',
      'MESSAGING_DECLARATION_REFUSED',
      'x-max-length',
      declaring(
        urlOf('rabbitmq'),
        queue(name, { autoDelete: true, maxLength: 5 }),
        queue(name, { autoDelete: true, maxLength: 6 }),
      ),
    ],
    [
      'an argument of the wrong type',
      'MESSAGING_DECLARATION_REFUSED',
      'x-message-ttl',
      declaring(
        urlOf('rabbitmq'),
        queue(uniqueName('q'), { arguments: { 'x-message-ttl': 'soon' } }),
      ),
    ],
    [
      'a queue of the broker’s own names',
      'MESSAGING_DECLARATION_REFUSED',
      'amq.',
      declaring(urlOf('rabbitmq'), queue('amq.mine')),
    ],
    [
      'consuming a queue that is not there',
      'MESSAGING_QUEUE_NOT_FOUND',
      'missing-queue',
      () =>
        connect(urlOf('rabbitmq'))
          .consumer({ queues: ['missing-queue'], declare: false, onDeliveries: () => undefined })
          .start(),
    ],
    [
      'publishing to an exchange that is not there',
      'MESSAGING_PUBLISH_REFUSED',
      'missing-exchange',
      publishing(1, { exchange: 'missing-exchange' }, urlOf('rabbitmq')),
    ],
  ])
})
