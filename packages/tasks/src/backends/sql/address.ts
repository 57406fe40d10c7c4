/** Where results in SQL lie, from a URL as SQLAlchemy and Celery write it. Nothing is opened here. */
import path from 'node:path'
import { maskUrl, type ConnectOptions } from '@celeriac/messaging'
import type { BackendOptions } from '../../backend/backend.ts'
import { isMapping } from '../../config/option.ts'
import { badBackend, backendTarget, camelOptions, knownOptions } from '../failures.ts'

export type SqlAddress =
  | { readonly kind: 'postgresql' | 'mysql'; readonly target: ConnectOptions['target'] }
  | { readonly kind: 'sqlite'; readonly file: string; readonly busyTimeoutMs: number }

const kinds: Readonly<Record<string, SqlAddress['kind']>> = {
  postgresql: 'postgresql',
  postgres: 'postgresql',
  mysql: 'mysql',
  mariadb: 'mysql',
  sqlite: 'sqlite',
}

const ports = { postgresql: 5432, mysql: 3306 } as const

/** `db+`, what kind of database, which driver of Python. */
const form = /^(?:db\+)?([a-z0-9]+)(?:\+[a-z0-9_]+)?(?::(.*))?$/is

/** Throws `TASKS_CONFIG_INVALID`, without the password. */
export function sqlAddress(
  options: Pick<BackendOptions, 'url' | 'config' | 'options'>,
): SqlAddress {
  const { databaseUrl } = options.config
  const isNamed = /^(?:database|db)(?::(?:\/\/)?)?$/i.test(options.url)
  if (isNamed && databaseUrl === undefined) {
    throw badBackend(`'${options.url}' needs the setting databaseUrl, which says where it is`)
  }
  const url = isNamed ? databaseUrl! : options.url
  const [, name = '', rest = '//'] = form.exec(url) ?? []
  const kind = kinds[name.toLowerCase()]
  if (!kind) {
    throw badBackend(
      `'${maskUrl(url)}' names no database that is known here: ${Object.keys(kinds).join(', ')}`,
    )
  }
  const { connectArgs } = readEngineOptions(options.config)
  if (kind === 'sqlite') return sqliteAddress(rest, connectArgs)
  const given = { ...connectArgs, ...options.options }
  const target = backendTarget(`${kind}:${rest}`, [kind], given, () => ports[kind])
  if (kind === 'mysql' && target.path === '') {
    throw badBackend(`'${target.masked}' names no database; add it as the path`)
  }
  return { kind, target }
}

/** Three slashes and a path in the working directory, or four and one from the root. */
function sqliteAddress(rest: string, connectArgs: Readonly<Record<string, unknown>>): SqlAddress {
  const [, file = ''] = /^\/\/\/([^?#]*)/.exec(rest) ?? []
  if (file === '' || file === ':memory:') {
    throw badBackend(
      `'sqlite:${rest}' names no file, and what is in memory nobody else can see; name one, as in 'db+sqlite:///results.db'`,
    )
  }
  const { timeout } = connectArgs
  return {
    kind: 'sqlite',
    file: path.resolve(file),
    busyTimeoutMs: typeof timeout === 'number' ? timeout * 1000 : 5000,
  }
}

/** What `create_engine` of SQLAlchemy takes; what only pools there have is passed over. */
const engineOptions = [
  'connectArgs',
  'poolRecycle',
  'poolPrePing',
  'poolSize',
  'maxOverflow',
  'poolTimeout',
  'poolUseLifo',
  'poolResetOnReturn',
  'poolLoggingName',
  'loggingName',
  'poolclass',
  'echo',
  'echoPool',
  'hideParameters',
  'isolationLevel',
  'executionOptions',
  'future',
]

/** Seconds a link may get old, and arguments for the driver; throws `TASKS_CONFIG_INVALID` for unknown names. */
export function readEngineOptions({
  databaseEngineOptions = {},
}: Pick<BackendOptions['config'], 'databaseEngineOptions'>): {
  readonly recycleMs: number
  readonly connectArgs: Readonly<Record<string, unknown>>
} {
  const options = camelOptions(databaseEngineOptions)
  knownOptions(options, engineOptions, 'databaseEngineOptions')
  const { poolRecycle, connectArgs } = options
  return {
    recycleMs: typeof poolRecycle === 'number' && poolRecycle > 0 ? poolRecycle * 1000 : Infinity,
    connectArgs: isMapping(connectArgs) ? connectArgs : {},
  }
}
