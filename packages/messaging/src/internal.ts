/** What the tasks package needs and users do not; without any promise between versions. */
export { asMessagingError, messageOf } from './kernel/errors.ts'
export { sleep } from './kernel/clock.ts'
export { withDeadline } from './kernel/deadline.ts'
export { reconnectPolicy, retry, type RetryPolicy } from './kernel/retry.ts'
export { Signals, type Listener, type SignalParent } from './kernel/signals.ts'
export { didYouMean, nearest } from './kernel/suggest.ts'
export { TurnBatch } from './kernel/turn-batch.ts'
export { BodyCodec, type EncodedBody } from './codec/body.ts'
export { bindingsOf } from './topology/queue.ts'
export { parseJson, stringifyJson } from './serializers/json.ts'
export type { RedisClient } from './clients/redis.ts'

/** The door to Redis, opened only by those who need it: the driver costs 20 MB and 0.1 s. */
export const loadRedisClients = () => import('./clients/redis.ts')

/** The door to PostgreSQL. */
export const loadPostgresClients = () => import('./clients/postgres.ts')
export type { PostgresLink } from './clients/postgres.ts'

export { plainGlobals } from './serializers/pickle/globals.ts'
export { readPickle } from './serializers/pickle/reader.ts'
export { writePickle, writePickledCall } from './serializers/pickle/writer.ts'
export { optionalDriver } from './kernel/optional-package.ts'
export { tlsOf } from './transport/tls.ts'

/** How masters are found: behind sentinels, and those of a cluster. */
export const loadRedisTopology = async () => ({
  ...(await import('./transports/redis/sentinel.ts')),
  ...(await import('./transports/redis/cluster-links.ts')),
})
export type { ClusterLinks, ClusterMember } from './transports/redis/cluster-links.ts'
export type { MasterWatch } from './transports/redis/sentinel.ts'
export { redisOptionNames, redisOptions } from './transports/redis/options.ts'
export { slotOf } from './transports/redis/slots.ts'

export { gatherTargets, parseUrl, splitUrls } from './connection/url.ts'
export type { ConnectOptions, Target } from './transport/transport.ts'
export { attemptsHeader } from './virtual/envelope.ts'
export { parkedQueue } from './virtual/store.ts'

/** The door to SQLite and the bell that wakes other processes, for those who keep a file of their own. */
export const loadSqliteClients = async () => ({
  ...(await import('./clients/sqlite.ts')),
  ...(await import('./transports/sqlite/bell.ts')),
})
export type { SqliteDatabase, SqliteStatement } from './clients/sqlite.ts'

export { delayedKey, longestDelay, undelayedKey } from './transports/amqp/delay-ladder.ts'

/** Files that are whole or not at all, and names that may stand in a folder. */
export { codeOf, eachOf, ifThere } from './transports/filesystem/files.ts'
export { encodeName } from './transports/filesystem/names.ts'

/** The door to Memcached. */
export const loadMemcachedClients = () => import('./clients/memcached.ts')
export type { MemcachedLink, MemcachedOptions, MemcachedValue } from './clients/memcached.ts'

/** The door to MongoDB. */
export const loadMongoClients = () => import('./clients/mongodb.ts')
export type { MongoDocument, MongoLink } from './clients/mongodb.ts'
