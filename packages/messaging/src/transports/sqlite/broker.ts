/**
 * One database file as this process sees it, shared by all its sessions: everything that is written in one
 * turn of the event loop is one transaction, and whoever waits for a queue is woken when there is news.
 */
import { statSync } from 'node:fs'
import { isBusy, openSqlite, sqliteError, type SqliteDatabase } from '../../clients/sqlite.ts'
import { sleep, systemClock } from '../../kernel/clock.ts'
import { MessagingError } from '../../kernel/errors.ts'
import { Bell } from './bell.ts'
import { prepareSchema, prepareStatements, type Statements } from './schema.ts'

/** How long this thread may stand still for another process; after that it waits without standing still. */
const busyTimeoutMs = 50
/** How long a write may wait for the others altogether. */
const patienceMs = 10_000
/** Pause between looks for news that no bell announced. */
const pollMs = { heard: 1000, deaf: 100 }

interface Write {
  readonly run: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
  readonly sinceMs: number
}

interface Waiter {
  readonly queues: readonly string[]
  readonly wake: () => void
}

/** The users of one opened file. */
interface Shared {
  readonly opening: Promise<SqliteBroker>
  users: number
}

/** The one deliberate global: sessions of one process must meet, and share their transactions. */
const brokers = new Map<string, Shared>()

export class SqliteBroker {
  readonly path: string
  readonly sql: Statements
  readonly version: string
  readonly #database: SqliteDatabase
  readonly #bell: Bell
  readonly #inode: number
  #shared: Shared | undefined
  readonly #waiters = new Set<Waiter>()
  /** Queues that got something in the transaction under way. */
  readonly #touched = new Set<string>()
  #writes: Write[] = []
  #scheduled = false
  #dataVersion: unknown
  #cancelPoll: (() => void) | undefined

  /** Opens the file, or joins those of this process who did. Every `acquire` wants a `release`. */
  static async acquire(path: string, synchronous: 'NORMAL' | 'FULL'): Promise<SqliteBroker> {
    const known = brokers.get(path)
    if (known && isInPlace(path, (await known.opening).#inode)) {
      // Unless it was closed meanwhile.
      if (known.users > 0) {
        known.users++
        return await known.opening
      }
    }
    const shared: Shared = { opening: SqliteBroker.#open(path, synchronous), users: 1 }
    brokers.set(path, shared)
    try {
      const broker = await shared.opening
      broker.#shared = shared
      return broker
    } catch (error) {
      if (brokers.get(path) === shared) brokers.delete(path)
      throw error
    }
  }

  static async #open(path: string, synchronous: 'NORMAL' | 'FULL'): Promise<SqliteBroker> {
    // Patient here: a new file is made by one process while the others wait.
    const database = await openSqlite(path, { synchronous, busyTimeoutMs: 5000 })
    try {
      database.exec('BEGIN IMMEDIATE')
      prepareSchema(database, path)
      database.exec('COMMIT')
      database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
      return new SqliteBroker(path, database)
    } catch (error) {
      database.close()
      throw sqliteError(error, `opening ${path}`, true)
    }
  }

  private constructor(path: string, database: SqliteDatabase) {
    this.path = path
    this.#database = database
    this.sql = prepareStatements(database)
    this.version = String(database.prepare('SELECT sqlite_version() AS v').get()?.['v'])
    this.#bell = new Bell(path)
    this.#inode = statSync(path).ino
  }

  /** The last one to leave closes the file. */
  release(): void {
    if (!this.#shared || --this.#shared.users > 0) return
    if (brokers.get(this.path) === this.#shared) brokers.delete(this.path)
    this.#cancelPoll?.()
    this.#bell.close()
    this.#database.close()
  }

  /** False when the file was moved away or replaced: others would not see what we write. */
  get isInPlace(): boolean {
    return isInPlace(this.path, this.#inode)
  }

  /**
   * Runs `run` in the transaction of this turn, and resolves with its answer after the commit. A
   * `MessagingError` it throws before it wrote anything concerns nobody else; any other error undoes all.
   */
  write<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const sinceMs = systemClock.monotonic()
      this.#writes.push({ run, resolve: resolve as Write['resolve'], reject, sinceMs })
      this.#schedule()
    })
  }

  /** Reads without a transaction; waits for the rare moments in which even that is not possible. */
  async read<T>(run: () => T): Promise<T> {
    const sinceMs = systemClock.monotonic()
    for (;;) {
      try {
        return run()
      } catch (error) {
        if (!isBusy(error) || systemClock.monotonic() - sinceMs > patienceMs) throw error
        await sleep(systemClock, 10)
      }
    }
  }

  /** Says, inside a write, that a queue has something new. */
  touch(queue: string): void {
    this.#touched.add(queue)
  }

  hasAny(queues: readonly string[]): boolean {
    return queues.some((queue) => this.sql.isWaiting.get(queue) !== undefined)
  }

  /** Resolves when one of the queues has something, or when `signal` aborts. */
  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    this.#bell.listen(this.#onRing)
    while (!signal.aborted) {
      let wake!: () => void
      const woken = new Promise<void>((resolve) => (wake = resolve))
      // Registered before looking: news that come in between must not be missed.
      const waiter = { queues, wake }
      this.#waiters.add(waiter)
      signal.addEventListener('abort', wake, { once: true })
      try {
        if (this.hasAny(queues)) return
        this.#poll()
        await woken
      } catch (error) {
        throw sqliteError(error, `reading ${this.path}`)
      } finally {
        this.#waiters.delete(waiter)
        signal.removeEventListener('abort', wake)
      }
    }
  }

  readonly #onRing = (): void => {
    if (this.#waiters.size === 0 || !this.#changedByOthers()) return
    for (const { wake } of this.#waiters) wake()
  }

  #changedByOthers(): boolean {
    const found = this.sql.dataVersion.get()?.['data_version']
    const changed = found !== this.#dataVersion
    this.#dataVersion = found
    return changed
  }

  #poll(): void {
    if (this.#cancelPoll) return
    const ms = this.#bell.isHeard ? pollMs.heard : pollMs.deaf
    this.#cancelPoll = systemClock.after(
      ms,
      () => {
        this.#cancelPoll = undefined
        this.#onRing()
        if (this.#waiters.size > 0) this.#poll()
      },
      { background: this.#bell.isHeard },
    )
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#commit())
  }

  #commit(): void {
    this.#scheduled = false
    const writes = this.#writes
    this.#writes = []
    if (writes.length === 0) return
    const answers: { readonly value?: unknown; readonly error?: MessagingError }[] = []
    let begun = false
    try {
      this.sql.begin.run()
      begun = true
      for (const { run } of writes) answers.push(attempt(run))
      this.sql.commit.run()
    } catch (error) {
      this.#touched.clear()
      if (begun) this.#rollback()
      if (isBusy(error)) this.#later(writes, error)
      else for (const { reject } of writes) reject(sqliteError(error, `writing ${this.path}`))
      return
    }
    for (const [i, { value, error }] of answers.entries()) {
      if (error) writes[i]!.reject(error)
      else writes[i]!.resolve(value)
    }
    this.#announce()
  }

  #rollback(): void {
    try {
      this.sql.rollback.run()
    } catch {
      // Some errors have rolled back already.
    }
  }

  /** Another process writes: again in a moment, together with what came meanwhile. */
  #later(writes: readonly Write[], error: unknown): void {
    const nowMs = systemClock.monotonic()
    const patient: Write[] = []
    for (const write of writes) {
      if (nowMs - write.sinceMs < patienceMs) patient.push(write)
      else write.reject(sqliteError(error, `writing ${this.path}`))
    }
    if (patient.length === 0) return
    this.#writes = [...patient, ...this.#writes]
    this.#scheduled = true
    systemClock.after(1 + Math.random() * 10, () => this.#commit())
  }

  #announce(): void {
    if (this.#touched.size === 0) return
    for (const { queues, wake } of this.#waiters) {
      if (queues.some((queue) => this.#touched.has(queue))) wake()
    }
    this.#touched.clear()
    this.#bell.ring()
  }
}

function isInPlace(path: string, inode: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === inode
}

function attempt(run: () => unknown): {
  readonly value?: unknown
  readonly error?: MessagingError
} {
  try {
    return { value: run() }
  } catch (error) {
    if (MessagingError.is(error)) return { error }
    throw error
  }
}
