/**
 * Results in one SQLite file, shared by the processes of one machine. Whoever waits is woken by a bell (a
 * file that is written after each commit) and looks at the ids it waits for; a slow poll hears the rest.
 */
import path from 'node:path'
import type { Ambient } from '@celeriac/messaging'
import { loadSqliteClients, parseUrl, type SqliteDatabase } from '@celeriac/messaging/internal'
import type {
  BackendOptions,
  CountdownPart,
  CountdownStep,
  CountingBackend,
  StoredData,
  StoredResult,
} from '../backend/backend.ts'
import { inOrder } from '../backend/countdown.ts'
import { Polling } from '../backend/polling.ts'
import { jsonResults, type Encoded, type ResultCodec } from '../backend/result-codec.ts'
import type { ResultRecord } from '../backend/result-record.ts'
import { readTree, type ResultTree } from '../canvas/result-tree.ts'
import { TasksError } from '../kernel/errors.ts'

const defaultPath = '.celeriac/results.db'

const schema = `
CREATE TABLE IF NOT EXISTS results (id TEXT PRIMARY KEY, text TEXT NOT NULL, expires INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS results_expires ON results (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (id TEXT PRIMARY KEY, value TEXT NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS joins (id TEXT PRIMARY KEY, size INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS join_extras (id TEXT, task TEXT, PRIMARY KEY (id, task)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS join_parts (id TEXT, task TEXT, place INTEGER, data BLOB NOT NULL, expires INTEGER,
  PRIMARY KEY (id, task)) WITHOUT ROWID;
`

/** Records removed at once when their time is over; more at the next write. */
const sweepSize = 1000

interface Bell {
  ring(): void
  listen(onRing: () => void): void
  close(): void
}

export class SqliteBackend implements CountingBackend {
  readonly name = 'sqlite'
  readonly capabilities = {
    persistent: true,
    shared: true,
    notifies: true,
    joins: 'count',
    groups: true,
    expires: true,
  } as const
  readonly #path: string
  readonly #expiresMs: number
  readonly #ambient: Ambient
  readonly #polling: Polling
  readonly #codec: ResultCodec
  #opening: Promise<SqliteDatabase> | undefined
  #bell: Bell | undefined
  #isClosed = false
  #sweepAtMs = 0

  constructor({ url, expiresSeconds, codec }: BackendOptions, ambient: Ambient) {
    const target = parseUrl(url, ['sqlite'])
    this.#path =
      target.host !== ''
        ? path.resolve(decodeURIComponent(target.host), target.path)
        : path.resolve(target.path === '' ? defaultPath : `/${target.path}`)
    this.#expiresMs = expiresSeconds * 1000
    this.#ambient = ambient
    this.#codec = codec
    this.#polling = new Polling((ids) => this.read(ids), ambient.clock)
  }

  async open(): Promise<void> {
    await this.#database()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#polling.close()
    this.#bell?.close()
    const database = await this.#opening?.catch(() => undefined)
    database?.close()
  }

  encode(record: ResultRecord): Encoded {
    return this.#codec.encodeRecord(record)
  }

  decode(data: StoredData): ResultRecord {
    return this.#codec.decodeRecord(data as Encoded)
  }

  async store(results: readonly StoredResult[]): Promise<void> {
    const now = this.#ambient.clock.now()
    const expires = this.#expires()
    await this.#write((database) => {
      const before = database.prepare('SELECT text FROM results WHERE id = ?')
      const put = database.prepare('REPLACE INTO results (id, text, expires) VALUES (?, ?, ?)')
      for (const { id, data } of results) {
        const stored = before.get(id)?.['text'] as Encoded | undefined
        if (stored !== undefined && this.#codec.isSuccess(stored)) continue
        put.run(id, data as Encoded, expires)
      }
      this.#sweep(database, now)
    })
    this.#bell?.ring()
  }

  async read(ids: readonly string[]): Promise<readonly (StoredData | undefined)[]> {
    const database = await this.#database()
    const now = this.#ambient.clock.now()
    return this.#guard(() => {
      const find = database.prepare(
        'SELECT text FROM results WHERE id = ? AND (expires IS NULL OR expires > ?)',
      )
      return ids.map((id) => find.get(id, now)?.['text'] as Encoded | undefined)
    })
  }

  async subscribe(id: string, onData: (data: StoredData) => void): Promise<() => void> {
    await this.#database()
    this.#bell?.listen(() => this.#polling.lookNow())
    return this.#polling.subscribe(id, onData)
  }

  async forget(ids: readonly string[]): Promise<void> {
    await this.#write((database) => {
      const remove = database.prepare('DELETE FROM results WHERE id = ?')
      for (const id of ids) remove.run(id)
    })
  }

  async startCountdown(groupId: string, members: readonly ResultTree[]): Promise<void> {
    await this.#write((database) =>
      database
        .prepare('REPLACE INTO joins (id, size, expires) VALUES (?, ?, ?)')
        .run(groupId, members.length, this.#expires()),
    )
  }

  async extendCountdown(groupId: string, taskId: string): Promise<void> {
    await this.#write((database) =>
      database.prepare('REPLACE INTO join_extras (id, task) VALUES (?, ?)').run(groupId, taskId),
    )
  }

  async stepCountdown({ groupId, taskId, index, data }: CountdownPart): Promise<CountdownStep> {
    return await this.#write((database): CountdownStep => {
      database
        .prepare('REPLACE INTO join_parts (id, task, place, data, expires) VALUES (?, ?, ?, ?, ?)')
        .run(groupId, taskId, index ?? null, data, this.#expires())
      const count = (sql: string): number => Number(database.prepare(sql).get(groupId)?.['n'] ?? 0)
      const size = database.prepare('SELECT size FROM joins WHERE id = ?').get(groupId)?.['size']
      const extra = count('SELECT count(*) AS n FROM join_extras WHERE id = ?')
      const done = count('SELECT count(*) AS n FROM join_parts WHERE id = ?')
      if (typeof size !== 'number' || done < size + extra) return { kind: 'waiting' }
      const parts = database.prepare('SELECT place, data FROM join_parts WHERE id = ?').all(groupId)
      return {
        kind: 'complete',
        parts: inOrder(
          Array.from(parts, (row) => ({
            index: (row['place'] as number | null) ?? undefined,
            data: row['data'] as Encoded,
          })),
        ),
      }
    })
  }

  async endCountdown(groupId: string): Promise<void> {
    await this.#write((database) => {
      for (const table of ['joins', 'join_extras', 'join_parts', 'groups'])
        database.prepare(`DELETE FROM ${table} WHERE id = ?`).run(groupId)
    })
  }

  async storeGroup(groupId: string, tree: ResultTree): Promise<void> {
    const text = jsonResults.encode(tree)
    await this.#write((database) =>
      database.prepare('REPLACE INTO groups (id, text) VALUES (?, ?)').run(groupId, text),
    )
  }

  async readGroup(groupId: string): Promise<ResultTree | undefined> {
    const database = await this.#database()
    const found = this.#guard(() =>
      database.prepare('SELECT text FROM groups WHERE id = ?').get(groupId),
    )
    return found && readTree(jsonResults.decode(found['text'] as string))
  }

  async forgetGroup(groupId: string): Promise<void> {
    await this.#write((database) =>
      database.prepare('DELETE FROM groups WHERE id = ?').run(groupId),
    )
  }

  async swap(
    name: string,
    expected: string | null | undefined,
    next: string | null,
    ttlMs: number,
  ): Promise<{ swapped: boolean; before: string | undefined }> {
    const now = this.#ambient.clock.now()
    return await this.#write((database) => {
      const found = database
        .prepare('SELECT value FROM names WHERE id = ? AND expires > ?')
        .get(name, now)
      const before = found?.['value'] as string | undefined
      if (expected !== undefined && before !== (expected ?? undefined))
        return { swapped: false, before }
      if (next === null) database.prepare('DELETE FROM names WHERE id = ?').run(name)
      else {
        database
          .prepare('REPLACE INTO names (id, value, expires) VALUES (?, ?, ?)')
          .run(name, next, now + ttlMs)
      }
      this.#sweep(database, now)
      return { swapped: true, before }
    })
  }

  #expires(): number | null {
    return this.#expiresMs > 0 ? this.#ambient.clock.now() + this.#expiresMs : null
  }

  /** Once a minute what is over goes, a thousand rows of each table at a time. */
  #sweep(database: SqliteDatabase, now: number): void {
    if (now < this.#sweepAtMs) return
    this.#sweepAtMs = now + 60_000
    database
      .prepare(
        `DELETE FROM results WHERE id IN (SELECT id FROM results WHERE expires <= ? LIMIT ${sweepSize})`,
      )
      .run(now)
    database.prepare('DELETE FROM names WHERE expires <= ?').run(now)
    database.prepare('DELETE FROM join_parts WHERE expires <= ?').run(now)
    database
      .prepare('DELETE FROM join_extras WHERE id IN (SELECT id FROM joins WHERE expires <= ?)')
      .run(now)
    database.prepare('DELETE FROM joins WHERE expires <= ?').run(now)
  }

  /** One transaction; either all of it is stored or none. */
  async #write<T>(work: (database: SqliteDatabase) => T): Promise<T> {
    const database = await this.#database()
    return this.#guard(() => {
      // Immediate: two readers that both want to write would block each other.
      database.exec('BEGIN IMMEDIATE')
      try {
        const result = work(database)
        database.exec('COMMIT')
        return result
      } catch (error) {
        database.exec('ROLLBACK')
        throw error
      }
    })
  }

  #guard<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw failed(error)
    }
  }

  #database(): Promise<SqliteDatabase> {
    if (this.#isClosed) {
      return Promise.reject(new TasksError('TASKS_STOPPED', 'the result backend is closed'))
    }
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw failed(error)
    })
    return this.#opening
  }

  async #open(): Promise<SqliteDatabase> {
    const { openSqlite, Bell } = await loadSqliteClients()
    const database = await openSqlite(this.#path, { busyTimeoutMs: 5000 })
    database.exec(schema)
    this.#bell = new Bell(this.#path)
    return database
  }
}

function failed(error: unknown): TasksError {
  if (TasksError.is(error)) return error
  const why = error instanceof Error ? error.message : String(error)
  return new TasksError('TASKS_BACKEND_FAILED', `the result backend on SQLite: ${why}`, {
    cause: error,
  })
}
