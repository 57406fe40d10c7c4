/** Settings of results: where they are kept, how long, and what is in them. */
import {
  anyText,
  flag,
  list,
  mapping,
  number,
  option,
  optional,
  seconds,
  text,
  whole,
} from '../option.ts'

export const resultOptions = {
  resultBackend: option(
    optional(text),
    undefined,
    'Where results are kept: a URL, or the name of a backend. None keeps no results.',
  ),
  resultAcceptContent: option(
    optional(list(text)),
    undefined,
    'Serializers results may be read with; none is `resultSerializer` alone.',
    { oldName: 'RESULT_ACCEPT_CONTENT' },
  ),
  resultSerializer: option(text, 'json', 'Serializer of results.'),
  resultCompression: option(
    optional(text),
    undefined,
    'Accepted for its name: as in Celery, results are kept as they are.',
  ),
  resultExpires: option(
    optional(seconds),
    86_400,
    'Seconds a result is kept; none or 0 keeps it for ever.',
    { oldName: 'CELERY_TASK_RESULT_EXPIRES' },
  ),
  resultExtended: option(
    flag,
    false,
    'Results carry name, arguments, worker, retries and queue of their task.',
  ),
  resultPersistent: option(
    optional(flag),
    undefined,
    'Results sent as messages survive a restart of the broker.',
  ),
  resultCacheMax: option(
    number(-1),
    -1,
    'Accepted for its name: a handle remembers its final result, and nothing else does.',
    { oldName: 'CELERY_MAX_CACHED_RESULTS' },
  ),
  resultExchange: option(
    text,
    'celeryresults',
    'Accepted for its name: as in Celery, results sent as messages go straight to their queue.',
  ),
  resultExchangeType: option(text, 'direct', 'Accepted for its name, likewise.'),
  resultBackendTransportOptions: option(mapping, {}, 'Options of the backend.'),
  resultChordRetryInterval: option(
    seconds,
    1,
    'Seconds between looks at a chord where the backend cannot count.',
  ),
  resultChordJoinTimeout: option(
    seconds,
    3,
    'Accepted for its name: when all members have ended their results are there.',
  ),
  resultBackendAlwaysRetry: option(flag, true, 'Try again when the backend cannot be reached.', {
    celery: false,
  }),
  resultBackendMaxRetries: option(
    number(0, { endless: true }),
    Infinity,
    'Attempts before giving up.',
  ),
  resultBackendBaseSleepBetweenRetriesMs: option(whole(0), 10, 'First pause, milliseconds.'),
  resultBackendMaxSleepBetweenRetriesMs: option(whole(0), 10_000, 'Longest pause, milliseconds.'),
  resultBackendThreadSafe: option(flag, true, 'Accepted for its name; one backend serves all.', {
    celery: false,
    oldName: 'RESULT_BACKEND_THREAD_SAFE',
  }),
  overrideBackends: option(
    mapping,
    {},
    'More backends by the scheme of their URL: classes, or modules whose default export is one.',
  ),

  redisBackendUseSsl: option(optional(mapping), undefined, 'TLS options of the Redis backend.'),
  redisMaxConnections: option(
    optional(whole(1)),
    undefined,
    'Accepted for its name: results need one connection, and one more while something is awaited.',
  ),
  redisSocketTimeout: option(
    optional(seconds),
    10,
    'Seconds an operation of the Redis backend may take, with all its attempts; none is 10.',
    { celery: 120 },
  ),
  redisSocketConnectTimeout: option(
    optional(seconds),
    undefined,
    'Seconds the Redis backend may take to connect; none is `brokerConnectionTimeout`.',
  ),
  redisRetryOnTimeout: option(
    flag,
    true,
    'Accepted for its name: what was under way when a link broke is asked again until its time is over.',
    { celery: false },
  ),
  redisSocketKeepalive: option(flag, true, 'TCP keepalive of the Redis backend.', {
    celery: false,
  }),
  redisClientName: option(
    optional(text),
    undefined,
    'Name shown in CLIENT LIST; none is `celeriac-results`.',
  ),
  redisBackendHealthCheckInterval: option(
    optional(seconds),
    undefined,
    'Seconds between checks of the connection that waits for results; none or 0 is 5.',
  ),
  redisHost: option(optional(text), undefined, 'Where the URL of the Redis backend names no host.'),
  redisPort: option(optional(whole(1)), undefined, 'The same for the port.'),
  redisDb: option(
    optional(whole(0)),
    undefined,
    "The database where `resultBackend` is 'redis' and no URL.",
  ),
  redisUsername: option(optional(anyText), undefined, 'Where the URL names no user.'),
  redisPassword: option(optional(anyText), undefined, 'Where the URL has no password.', {
    secret: true,
  }),
} as const
