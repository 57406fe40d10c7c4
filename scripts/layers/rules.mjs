// The architecture as data: which folder may import which, which folders are pure, and where each library
// has its door. docs/architecture.md explains it; whoever changes one changes the other.

/** Folders from the lowest rank to the highest. A folder imports from itself and from lower ranks only. */
export const ranks = {
  'packages/messaging': [
    ['kernel'],
    ['message', 'topology'],
    ['codec', 'tracing'],
    ['serializers', 'compressors', 'transport'],
    ['virtual', 'clients'],
    ['transports'],
    ['producer', 'consumer'],
    ['loop', 'mailbox', 'simple'],
    ['connection'],
    ['index', 'internal', 'testing'],
  ],
  'packages/tasks': [
    ['kernel'],
    ['config', 'protocol', 'schedule', 'routing'],
    ['canvas', 'schedules'],
    ['backend'],
    ['backends', 'result', 'events', 'control', 'security'],
    ['client'],
    ['execution'],
    ['app', 'pool'],
    ['pools', 'beat'],
    ['worker'],
    ['index', 'internal', 'testing'],
  ],
}

/**
 * Which of our packages a package may import, as an import names them; everything else of ours is a deep
 * path or points upwards. `within` limits an entry to one folder of `src`.
 */
export const packages = {
  'packages/messaging': [],
  'packages/tasks': [
    { name: '@celeriac/messaging' },
    { name: '@celeriac/messaging/internal' },
    { name: '@celeriac/messaging/testing', within: 'testing' },
  ],
  'apps/cli': [{ name: '@celeriac/tasks' }, { name: '@celeriac/tasks/internal' }],
  'apps/monitor': [{ name: '@celeriac/tasks' }, { name: '@celeriac/tasks/internal' }],
}

/** Folders and files, without their ending, that compute and do nothing else. */
export const pure = {
  'packages/messaging': [
    'message',
    'topology',
    'virtual/routing',
    'virtual/exchange-types',
    'virtual/window',
  ],
  'packages/tasks': [
    'protocol',
    'canvas',
    'schedule',
    'schedules',
    'routing',
    'worker/strategy/decide',
    'events/state',
  ],
}

/** Modules that a pure folder must not import. */
export const impureModules = [
  'node:fs',
  'node:fs/promises',
  'node:net',
  'node:tls',
  'node:dgram',
  'node:dns',
  'node:http',
  'node:https',
  'node:http2',
  'node:child_process',
  'node:worker_threads',
  'node:timers',
  'node:timers/promises',
]

/** Expressions that a pure folder must not contain, and what to do instead. */
export const impureCode = [
  [/\bset(?:Timeout|Interval|Immediate)\b/, 'a timer', 'leave waiting to the caller'],
  [/\bDate\s*\.\s*now\b/, 'the clock (Date.now)', 'take the time as an argument'],
  [
    /\bnew\s+Date\s*(?:\(\s*\)|(?![\s\w(.]))/,
    'the clock (new Date())',
    'take the time as an argument',
  ],
  [/\bperformance\s*\.\s*now\b/, 'the clock (performance.now)', 'take the time as an argument'],
  [/\bTemporal\s*\.\s*Now\b/, 'the clock (Temporal.Now)', 'take the time as an argument'],
  [/\bprocess\s*\.\s*hrtime\b/, 'the clock (process.hrtime)', 'take the time as an argument'],
  [/\bMath\s*\.\s*random\b/, 'randomness (Math.random)', 'take the source as an argument'],
  [/\brandom(?:UUID|Bytes|Int)\b/, 'randomness', 'take the id source as an argument'],
  [/\bgetRandomValues\b/, 'randomness', 'take the source as an argument'],
]

/** The one place from which each library may be imported: a folder ends with a slash. */
export const doors = {
  amqplib: 'packages/messaging/src/transports/amqp/',
  ioredis: 'packages/messaging/src/clients/redis.ts',
  memjs: 'packages/messaging/src/clients/memcached.ts',
  mongodb: 'packages/messaging/src/clients/mongodb.ts',
  pg: 'packages/messaging/src/clients/postgres.ts',
  'generic-pool': 'packages/messaging/src/connection/pool.ts',
  'p-retry': 'packages/messaging/src/kernel/retry.ts',
  '@photostructure/sqlite': 'packages/messaging/src/clients/sqlite.ts',
  'node:sqlite': 'packages/messaging/src/clients/sqlite.ts',
  '@bokuweb/zstd-wasm': 'packages/messaging/src/compressors/zstd.ts',
  'bzip2-wasm': 'packages/messaging/src/compressors/bzip2.ts',
  'lzma-native': 'packages/messaging/src/compressors/xz.ts',
  '@msgpack/msgpack': 'packages/messaging/src/serializers/msgpack/',
  '@opentelemetry/api': 'packages/messaging/src/tracing/',
  'js-yaml': 'packages/messaging/src/serializers/yaml/',
  kysely: 'packages/tasks/src/backends/sql/kysely.ts',
  mysql2: 'packages/tasks/src/backends/sql/mysql-link.ts',
  'temporal-polyfill': 'packages/tasks/src/schedule/zoned-time.ts',
  commander: 'apps/cli/src/',
  esbuild: 'apps/cli/src/',
}
