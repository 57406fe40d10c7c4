/**
 * The one door to SQLite: the engine built into Node where it is new enough, else `@photostructure/sqlite`,
 * which has the same API. Older engines can damage a file that several processes write: refused.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { MessagingError, messageOf, type Fault, type MessagingCode } from '../kernel/errors.ts'

export type SqliteValue = string | number | bigint | null | Uint8Array
export type SqliteRow = Record<string, SqliteValue>

export interface SqliteStatement {
  run(...values: SqliteValue[]): { readonly changes: number | bigint }
  get(...values: SqliteValue[]): SqliteRow | undefined
  all(...values: SqliteValue[]): SqliteRow[]
}

/** What both engines offer. Every call is synchronous. */
export interface SqliteDatabase {
  exec(sql: string): void
  prepare(sql: string): SqliteStatement
  close(): void
}

export interface SqliteEngine {
  readonly name: string
  /** Version of SQLite itself. */
  readonly version: string
  open(path: string): SqliteDatabase
}

export interface SqliteFileOptions {
  /** `FULL` survives the loss of power to the last commit, at a tenth of the speed; default `NORMAL`. */
  readonly synchronous?: 'NORMAL' | 'FULL'
  /** Longest wait for another writer, in which this thread does nothing else. */
  readonly busyTimeoutMs?: number
}

/** The first version in which two processes may write one database without any risk (WAL reset). */
const oldest = [3, 51, 3] as const

type DatabaseSync = new (path: string) => SqliteDatabase

let loading: Promise<SqliteEngine> | undefined

/** Loads an engine once; rejects with `MESSAGING_DRIVER_MISSING` (fatal), which says what to install. */
export function loadSqlite(): Promise<SqliteEngine> {
  return (loading ??= load())
}

async function load(): Promise<SqliteEngine> {
  const found: string[] = []
  for (const [name, find] of engines) {
    try {
      const Database = await find()
      if (!Database) continue
      const version = versionOf(Database)
      if (isNewEnough(version)) return { name, version, open: (path) => new Database(path) }
      found.push(`${name} has SQLite ${version}`)
    } catch (error) {
      found.push(`${name}: ${messageOf(error)}`)
    }
  }
  throw new MessagingError(
    'MESSAGING_DRIVER_MISSING',
    'fatal',
    `SQLite ${oldest.join('.')} or newer is needed: install the package '@photostructure/sqlite', or use a newer Node (${found.join('; ')})`,
  )
}

const engines: readonly [name: string, find: () => Promise<DatabaseSync | undefined>][] = [
  [
    'node:sqlite',
    // Not an import: Node 20 and bundlers for it know no such module.
    async () => {
      const builtin = process as { getBuiltinModule?(id: string): unknown }
      const found = builtin.getBuiltinModule?.('node:sqlite') as { DatabaseSync?: DatabaseSync }
      return await Promise.resolve(found?.DatabaseSync)
    },
  ],
  [
    '@photostructure/sqlite',
    async () => (await import('@photostructure/sqlite')).DatabaseSync as unknown as DatabaseSync,
  ],
]

function versionOf(Database: DatabaseSync): string {
  const database = new Database(':memory:')
  try {
    return String(database.prepare('SELECT sqlite_version() AS version').get()?.['version'])
  } finally {
    database.close()
  }
}

/** True for a version without the known faults. */
export function isNewEnough(version: string): boolean {
  const parts = version.split('.').map(Number)
  for (let i = 0; i < oldest.length; i++) {
    const part = parts[i] ?? 0
    if (part !== oldest[i]) return part > oldest[i]!
  }
  return true
}

/**
 * Opens a database file for several processes (write-ahead log); makes it and its folders when they are
 * not there, readable by its owner only. Rejects with a typed error.
 */
export async function openSqlite(
  path: string,
  { synchronous = 'NORMAL', busyTimeoutMs = 5000 }: SqliteFileOptions = {},
): Promise<SqliteDatabase> {
  const engine = await loadSqlite()
  let database: SqliteDatabase | undefined
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    create(path)
    database = engine.open(path)
    // First: changing the journal mode needs a lock as well.
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
    database.exec('PRAGMA journal_mode = WAL')
    database.exec(`PRAGMA synchronous = ${synchronous}`)
    database.exec('PRAGMA journal_size_limit = 67108864')
    return database
  } catch (error) {
    database?.close()
    throw sqliteError(error, `opening ${path}`, true)
  }
}

/** SQLite gives the log and the shared memory beside the file the rights of the file. */
function create(path: string): void {
  try {
    // Never open a file that exists: closing it again would drop the locks of other users in this process.
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Primary result codes of SQLite that are told apart. */
export const sqliteCode = {
  busy: 5,
  locked: 6,
  readonly: 8,
  corrupt: 11,
  full: 13,
  cantOpen: 14,
  notADatabase: 26,
} as const

/** The primary result code of an error of SQLite. */
export function sqliteCodeOf(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | undefined)?.errcode
  return typeof code === 'number' ? code & 0xff : undefined
}

/** True when another writer was in the way for too long. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCodeOf(error)
  return code === sqliteCode.busy || code === sqliteCode.locked
}

/** An error of SQLite or of the file system → typed error with its fault. */
export function sqliteError(error: unknown, what: string, connecting = false): MessagingError {
  if (MessagingError.is(error)) return error
  const make = (code: MessagingCode, fault: Fault, hint = ''): MessagingError =>
    new MessagingError(code, fault, `${what}: ${messageOf(error)}${hint}`, { cause: error })
  const failed: MessagingCode = connecting ? 'MESSAGING_CONNECT_FAILED' : 'MESSAGING_STORE_FAILED'
  switch (sqliteCodeOf(error)) {
    case sqliteCode.corrupt:
    case sqliteCode.notADatabase:
      return make(failed, 'fatal', '; the file is damaged or no SQLite database: move it away')
    case sqliteCode.cantOpen:
    case sqliteCode.readonly:
      return make(failed, 'fatal', '; the file and its folder must be writable')
    case sqliteCode.full:
      return make('MESSAGING_PUBLISH_REFUSED', 'message', '; the disk is full')
    case undefined:
      // The file system said no.
      return make(failed, connecting ? 'fatal' : 'connection')
    default:
      return make(failed, 'connection')
  }
}
