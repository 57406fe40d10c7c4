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
  ResultBackend,
  StoredResult,
} from '../backend/backend.ts'
import { inOrder, isSuccess } from '../backend/countdown.ts'
import { Polling } from '../backend/polling.ts'
import { TasksError } from '../kernel/errors.ts'

const defaultPath = '.celeriac/results.db'

const schema = `
CREATE TABLE IF NOT EXISTS results (id TEXT PRIMARY KEY, text TEXT NOT NULL, expires INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS results_expires ON results (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS countdowns (id TEXT PRIMARY KEY, size INTEGER, extra INTEGER NOT NULL DEFAULT 0)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts (countdown TEXT, task TEXT, place INTEGER, state TEXT, result TEXT,
  PRIMARY KEY (countdown, task)) WITHOUT ROWID;
`

/** Records removed at once when their time is over; more at the next write. */
const sweepSize = 1000

interface Bell {
  ring(): void
  listen(onRing: () => void): void
  close(): void
}

export class SqliteBackend implements ResultBackend {
  readonly name = 'sqlite'
  readonly capabilities = { persistent: true, shared: true, notifies: true, countdowns: true }
  readonly #path: string
  readonly #expiresMs: number
  readonly #ambient: Ambient
  readonly #polling: Polling
  #opening: Promise<SqliteDatabase> | undefined
  #bell: Bell | undefined
  #isClosed = false
  #sweepAtMs = 0

  constructor({ url, expiresSeconds }: BackendOptions, ambient: Ambient) {
    const target = parseUrl(url, ['sqlite'])
    this.#path =
      target.host !== ''
        ? path.resolve(decodeURIComponent(target.host), target.path)
        : path.resolve(target.path === '' ? defaultPath : `/${target.path}`)
    this.#expiresMs = expiresSeconds * 1000
    this.#ambient = ambient
    this.#polling = new Polling((ids) => this.read(ids), ambient.clock)
  }

  async open(): Promise<void> {
    await this.#database()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#polling.stop()
    this.#bell?.close()
    const database = await this.#opening?.catch(() => undefined)
    database?.close()
  }

  async store(results: readonly StoredResult[]): Promise<void> {
    const now = this.#ambient.clock.now()
    const expires = this.#expiresMs > 0 ? now + this.#expiresMs : null
    await this.#write((database) => {
      const before = database.prepare('SELECT text FROM results WHERE id = ?')
      const put = database.prepare('REPLACE INTO results (id, text, expires) VALUES (?, ?, ?)')
      for (const { id, text } of results) {
        const stored = before.get(id)?.['text']
        if (typeof stored === 'string' && isSuccess(stored)) continue
        put.run(id, text, expires)
      }
      if (now < this.#sweepAtMs) return
      this.#sweepAtMs = now + 60_000
      database
        .prepare(
          `DELETE FROM results WHERE id IN (SELECT id FROM results WHERE expires <= ? LIMIT ${sweepSize})`,
        )
        .run(now)
    })
    this.#bell?.ring()
  }

  async read(ids: readonly string[]): Promise<readonly (string | undefined)[]> {
    const database = await this.#database()
    const now = this.#ambient.clock.now()
    return this.#guard(() => {
      const find = database.prepare(
        'SELECT text FROM results WHERE id = ? AND (expires IS NULL OR expires > ?)',
      )
      return ids.map((id) => find.get(id, now)?.['text'] as string | undefined)
    })
  }

  async subscribe(id: string, onText: (text: string) => void): Promise<() => void> {
    await this.#database()
    this.#bell?.listen(() => this.#polling.lookNow())
    return this.#polling.subscribe(id, onText)
  }

  async forget(ids: readonly string[]): Promise<void> {
    await this.#write((database) => {
      const remove = database.prepare('DELETE FROM results WHERE id = ?')
      for (const id of ids) remove.run(id)
    })
  }

  async startCountdown(groupId: string, size: number): Promise<void> {
    await this.#write((database) =>
      database
        .prepare(
          'INSERT INTO countdowns (id, size) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET size = excluded.size',
        )
        .run(groupId, size),
    )
  }

  async extendCountdown(groupId: string, by: number): Promise<void> {
    await this.#write((database) =>
      database
        .prepare(
          'INSERT INTO countdowns (id, extra) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET extra = extra + excluded.extra',
        )
        .run(groupId, by),
    )
  }

  async stepCountdown(part: CountdownPart): Promise<CountdownStep> {
    const { groupId, taskId, index, state, resultText } = part
    return await this.#write((database): CountdownStep => {
      database
        .prepare(
          'REPLACE INTO parts (countdown, task, place, state, result) VALUES (?, ?, ?, ?, ?)',
        )
        .run(groupId, taskId, index ?? null, state, resultText)
      const announced = database
        .prepare('SELECT size, extra FROM countdowns WHERE id = ?')
        .get(groupId)
      const parts = database.prepare('SELECT * FROM parts WHERE countdown = ?').all(groupId)
      const size = announced?.['size']
      if (typeof size !== 'number' || parts.length < size + Number(announced?.['extra']))
        return { kind: 'waiting' }
      return {
        kind: 'complete',
        parts: inOrder(
          Array.from(parts, (row) => ({
            groupId,
            taskId: row['task'] as string,
            index: (row['place'] as number | null) ?? undefined,
            state: row['state'] as string,
            resultText: row['result'] as string,
          })),
        ),
      }
    })
  }

  async endCountdown(groupId: string): Promise<void> {
    await this.#write((database) => {
      database.prepare('DELETE FROM countdowns WHERE id = ?').run(groupId)
      database.prepare('DELETE FROM parts WHERE countdown = ?').run(groupId)
      database.prepare('DELETE FROM groups WHERE id = ?').run(groupId)
    })
  }

  async storeGroup(groupId: string, text: string): Promise<void> {
    await this.#write((database) =>
      database.prepare('REPLACE INTO groups (id, text) VALUES (?, ?)').run(groupId, text),
    )
  }

  async readGroup(groupId: string): Promise<string | undefined> {
    const database = await this.#database()
    return this.#guard(
      () =>
        database.prepare('SELECT text FROM groups WHERE id = ?').get(groupId)?.['text'] as
          string | undefined,
    )
  }

  async forgetGroup(groupId: string): Promise<void> {
    await this.#write((database) =>
      database.prepare('DELETE FROM groups WHERE id = ?').run(groupId),
    )
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
