/** The shelf of result backends, by URL scheme. Adding one is a line here. */
import type { Ambient } from '@celeriac/messaging'
import { didYouMean } from '@celeriac/messaging/internal'
import type { BackendClass, BackendOptions, ResultBackend } from '../backend/backend.ts'
import { TasksError } from '../kernel/errors.ts'
import { badBackend } from './failures.ts'

export interface BackendEntry {
  load(): Promise<BackendClass>
  /** The scheme may go on with the name of a driver of Python's, as in `postgresql+psycopg2`. */
  readonly takesDriver?: boolean
}

const redis: BackendEntry = { load: async () => (await import('./redis/backend.ts')).RedisBackend }

const mongodb: BackendEntry = {
  load: async () => (await import('./mongodb/backend.ts')).MongoBackend,
}
const memcached: BackendEntry = {
  load: async () => (await import('./memcached/backend.ts')).MemcachedBackend,
}

const sql: BackendEntry = {
  load: async () => (await import('./sql/backend.ts')).SqlBackend,
  takesDriver: true,
}

export const backends = {
  memory: { load: async () => (await import('./memory.ts')).MemoryBackend },
  'cache+memory': { load: async () => (await import('./memory.ts')).MemoryBackend },
  sqlite: { load: async () => (await import('./sqlite.ts')).SqliteBackend },
  file: {
    load: async () => (await import('./filesystem/backend.ts')).FilesystemBackend,
  },
  'cache+memcached': memcached,
  'cache+memcache': memcached,
  'cache+pylibmc': memcached,
  mongodb,
  'mongodb+srv': mongodb,
  redis,
  rediss: redis,
  'redis+socket': redis,
  sentinel: redis,
  'redis+cluster': redis,
  'rediss+cluster': redis,
  rpc: { load: async () => (await import('./rpc/backend.ts')).RpcBackend },
  'db+postgresql': sql,
  'db+postgres': sql,
  postgresql: sql,
  postgres: sql,
  'db+mysql': sql,
  'db+mariadb': sql,
  mysql: sql,
  mariadb: sql,
  'db+sqlite': sql,
  database: sql,
  db: sql,
  disabled: { load: async () => (await import('./disabled.ts')).DisabledBackend },
} as const satisfies Record<string, BackendEntry>

/** Makes the backend a URL names; throws `TASKS_CONFIG_INVALID` for an unknown scheme. */
export async function makeBackend(
  options: BackendOptions,
  ambient: Ambient,
  shelf: Readonly<Record<string, BackendEntry>> = backends,
): Promise<ResultBackend> {
  // As in Celery, `cache` leaves it to `cacheBackend` which one.
  if (options.url === 'cache') {
    const named = options.config.cacheBackend
    if (named === undefined)
      throw badBackend(
        "it is 'cache', but cacheBackend does not say which, such as memcached://h:p/",
      )
    return await makeBackend({ ...options, url: `cache+${named}` }, ambient, shelf)
  }
  const scheme = /^([a-z][a-z0-9+.-]*)(?::|$)/i.exec(options.url)?.[1] ?? options.url
  const entry = shelf[scheme] ?? withoutDriver(scheme, shelf)
  if (!entry) {
    throw new TasksError(
      'TASKS_CONFIG_INVALID',
      `resultBackend: no backend for '${scheme}'.${didYouMean(scheme, Object.keys(shelf))} Known: ${Object.keys(shelf).join(', ')}`,
    )
  }
  const Backend = await entry.load()
  return new Backend(options, ambient)
}

function withoutDriver(
  scheme: string,
  shelf: Readonly<Record<string, BackendEntry>>,
): BackendEntry | undefined {
  const entry = shelf[scheme.replace(/\+[a-z0-9_]+$/i, '')]
  return entry?.takesDriver ? entry : undefined
}

/** Backends of users by scheme: a class, or the module that has one as its default export. */
export function overriding(
  given: Readonly<Record<string, unknown>>,
  importModule: (path: string) => Promise<unknown>,
): Record<string, BackendEntry> {
  return Object.fromEntries(
    Object.entries(given).map(([scheme, value]): [string, BackendEntry] => [
      scheme,
      { load: async () => backendClass(scheme, await loaded(value, importModule)) },
    ]),
  )
}

async function loaded(
  value: unknown,
  importModule: (path: string) => Promise<unknown>,
): Promise<unknown> {
  if (typeof value !== 'string') return value
  const module = (await importModule(value)) as { readonly default?: unknown }
  return module.default
}

function backendClass(scheme: string, value: unknown): BackendClass {
  if (typeof value === 'function') return value as BackendClass
  throw new TasksError(
    'TASKS_CONFIG_INVALID',
    `overrideBackends['${scheme}'] must be a class, or a module with one as its default export; found ${typeof value}`,
  )
}
