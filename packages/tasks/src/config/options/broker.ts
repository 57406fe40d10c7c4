/** Settings of the broker and of the connections to it. */
import {
  anyText,
  choice,
  custom,
  either,
  flag,
  list,
  mapping,
  number,
  option,
  optional,
  refuse,
  seconds,
  text,
  whole,
} from '../option.ts'

/** One URL, several separated by `;`, or a list of URLs; always one text once parsed. */
export const urls = {
  ...custom<string, string | readonly string[]>('a URL, or a list of URLs', (raw) => {
    const all = Array.isArray(raw) ? (raw as unknown[]) : [raw]
    const parts = all.filter((one): one is string => typeof one === 'string' && one !== '')
    return parts.length === all.length && parts.length > 0
      ? parts.join(';')
      : refuse('a URL, or a list of URLs')
  }),
  fromText: (given: string): unknown => given,
}

type Failover = 'round-robin' | 'shuffle' | ((servers: readonly string[]) => Iterable<string>)

const failover = custom<Failover>("'round-robin', 'shuffle' or a function", (raw) =>
  raw === 'round-robin' || raw === 'shuffle' || typeof raw === 'function'
    ? (raw as Failover)
    : refuse("'round-robin', 'shuffle' or a function"),
)

export const brokerOptions = {
  brokerUrl: option(
    optional(urls),
    undefined,
    'Where messages travel; several URLs are tried in turn. None is the embedded broker.',
  ),
  brokerReadUrl: option(optional(urls), undefined, 'Consume from here instead of `brokerUrl`.', {
    planned: true,
  }),
  brokerWriteUrl: option(optional(urls), undefined, 'Publish to here instead of `brokerUrl`.', {
    planned: true,
  }),
  brokerTransport: option(
    optional(text),
    undefined,
    'Name of the transport when the URL does not say it.',
    { planned: true },
  ),
  brokerTransportOptions: option(mapping, {}, 'Options of the transport, camelCase or snake_case.'),
  brokerConnectionTimeout: option(seconds, 4, 'Seconds a connection may take to open.'),
  brokerConnectionRetry: option(flag, true, 'Reconnect when the connection is lost.', {
    planned: true,
  }),
  brokerConnectionRetryOnStartup: option(
    optional(flag),
    undefined,
    'Keep trying when the first connection fails; none follows `brokerConnectionRetry`.',
    { planned: true },
  ),
  brokerConnectionMaxRetries: option(
    optional(whole(0)),
    undefined,
    'Attempts before giving up; none or 0 goes on for ever.',
    { celery: 100, planned: true },
  ),
  brokerChannelErrorRetry: option(flag, true, 'Recover from channel errors as from lost links.', {
    celery: false,
    planned: true,
  }),
  brokerFailoverStrategy: option(
    optional(failover),
    undefined,
    'Order in which several URLs are tried: round-robin, shuffle or a function.',
  ),
  brokerHeartbeat: option(
    optional(seconds),
    10,
    'Seconds between heartbeats; a silent link is given up after two. 0 turns them off.',
    { celery: 120 },
  ),
  brokerHeartbeatCheckrate: option(number(0), 3, 'Checks in each heartbeat interval.', {
    planned: true,
  }),
  brokerLoginMethod: option(optional(text), undefined, 'SASL mechanism; none is PLAIN.', {
    planned: true,
  }),
  brokerNativeDelayedDeliveryQueueType: option(
    choice('quorum', 'classic'),
    'quorum',
    'Kind of the queues that hold delayed messages on RabbitMQ.',
    { planned: true },
  ),
  brokerPoolLimit: option(
    optional(whole(0)),
    10,
    'Connections kept for publishing; none has no limit, 0 opens one for each use.',
    { planned: true },
  ),
  brokerPoolAcquireTimeout: option(
    optional(seconds),
    5,
    'Seconds to wait for a connection of the pool; none waits for ever.',
    { celery: undefined, planned: true },
  ),
  brokerUseSsl: option(either(flag, mapping), false, 'TLS: true, or a mapping of TLS options.'),
  brokerHost: option(optional(text), undefined, 'Legacy part of the URL.', { planned: true }),
  brokerPort: option(optional(whole(1)), undefined, 'Legacy part of the URL.', { planned: true }),
  brokerUser: option(optional(text), undefined, 'Legacy part of the URL.', { planned: true }),
  brokerPassword: option(optional(anyText), undefined, 'Legacy part of the URL.', {
    planned: true,
    secret: true,
  }),
  brokerVhost: option(optional(text), undefined, 'Legacy part of the URL.', { planned: true }),
  acceptContent: option(list(text), ['json'], 'Serializers or content types that may be read.', {
    oldName: 'CELERY_ACCEPT_CONTENT',
  }),
} as const
