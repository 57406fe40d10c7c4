/**
 * Results in the tables of Celery's database backend, which Python clients and workers share. On PostgreSQL
 * whoever waits here is woken when a record is stored here; what others write is found by looking.
 */
import type { Ambient } from '@celeriac/messaging'
import { MessagingError } from '@celeriac/messaging'
import type {
  BackendCapabilities,
  BackendOptions,
  ResultBackend,
  StoredData,
  StoredResult,
} from '../../backend/backend.ts'
import { Polling } from '../../backend/polling.ts'
import type { ResultCodec } from '../../backend/result-codec.ts'
import type { ResultRecord } from '../../backend/result-record.ts'
import type { ResultTree } from '../../canvas/result-tree.ts'
import type { TasksError } from '../../kernel/errors.ts'
import { lastOfEach } from '../batches.ts'
import { backendClosed, backendFailed } from '../failures.ts'
import { readEngineOptions, sqlAddress, type SqlAddress } from './address.ts'
import type { Dialect, Listening } from './dialect.ts'
import { readGroup, writeGroup } from './groups.ts'
import { loadKysely, makeDatabase } from './kysely.ts'
import { Links } from './links.ts'
import { mysqlDialect } from './mysql.ts'
import { postgresDialect } from './postgres.ts'
import { asRefused } from './refused.ts'
import { recordOf, rowOf, type TaskRow } from './rows.ts'
import { sqliteDialect } from './sqlite.ts'
import { SqlStore } from './store.ts'
import { placesOf, readyTables, type Places } from './tables.ts'

/** Milliseconds an operation may take, and one that removes old rows. */
const usualDeadlineMs = 5000
const cleanupDeadlineMs = 120_000

export class SqlBackend implements ResultBackend {
  readonly name = 'database'
  readonly capabilities: BackendCapabilities
  readonly #dialect: Dialect
  readonly #address: SqlAddress
  readonly #places: Places
  readonly #codec: ResultCodec
  readonly #ambient: Ambient
  readonly #expiresMs: number
  readonly #config: BackendOptions['config']
  readonly #deadlineMs: number
  readonly #polling: Polling
  readonly #listening: Listening | undefined
  readonly #links: Links
  #store: Promise<SqlStore> | undefined
  #closing: Promise<void> | undefined

  constructor(options: BackendOptions, ambient: Ambient) {
    const { codec, config, expiresSeconds } = options
    this.#address = sqlAddress(options)
    this.#dialect = dialectOf(this.#address, ambient)
    this.#places = placesOf(config)
    this.#codec = codec
    this.#ambient = ambient
    this.#config = config
    this.#expiresMs = expiresSeconds * 1000
    const { timeout } = options.options
    this.#deadlineMs = typeof timeout === 'number' && timeout > 0 ? timeout * 1000 : usualDeadlineMs
    this.#polling = new Polling((ids) => this.read(ids), ambient.clock)
    this.#links = this.#newLinks(this.#deadlineMs)
    // Who wants no link between operations wants none to listen on.
    this.#listening = config.databaseShortLivedSessions
      ? undefined
      : this.#dialect.listen?.((id) => this.#onStored(id))
    this.capabilities = {
      persistent: true,
      shared: true,
      notifies: this.#listening !== undefined,
      joins: 'poll',
      groups: true,
      expires: false,
    }
  }

  async open(): Promise<void> {
    if (this.#config.databaseCreateTablesAtSetup !== false) await this.#guard(async () => undefined)
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#polling.close()
    await this.#listening?.close()
    await this.#links.close()
  }

  encode(record: ResultRecord): StoredData {
    return { ...rowOf(record, this.#codec) }
  }

  decode(data: StoredData): ResultRecord {
    return recordOf(data as unknown as TaskRow, this.#codec)
  }

  async store(results: readonly StoredResult[]): Promise<void> {
    if (results.length === 0) return
    const rows = lastOfEach(results).map(({ data }) => data as unknown as TaskRow)
    await this.#guard((store) => store.put(rows))
    // On PostgreSQL the notice says so, too; here it is known without one.
    for (const { id } of results) this.#onStored(id)
  }

  async read(ids: readonly string[]): Promise<readonly (StoredData | undefined)[]> {
    if (ids.length === 0) return []
    const found = await this.#guard((store) => store.read(ids))
    return ids.map((id) => found.get(id) as StoredData | undefined)
  }

  async subscribe(id: string, onData: (data: StoredData) => void): Promise<() => void> {
    if (this.#closing) throw backendClosed()
    this.#listening?.start()
    return this.#polling.subscribe(id, onData)
  }

  async forget(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#guard((store) => store.remove(ids))
  }

  async storeGroup(groupId: string, tree: ResultTree): Promise<void> {
    const bytes = writeGroup(tree)
    await this.#guard((store) => store.putGroup(groupId, bytes))
  }

  async readGroup(groupId: string): Promise<ResultTree | undefined> {
    const bytes = await this.#guard((store) => store.readGroup(groupId))
    return bytes && readGroup(bytes)
  }

  async forgetGroup(groupId: string): Promise<void> {
    await this.#guard((store) => store.removeGroup(groupId))
  }

  async cleanup(): Promise<void> {
    if (this.#expiresMs === 0) return
    await this.#guard(async () => undefined)
    // Over links of its own: it may take long, and others would wait behind it.
    const links = this.#newLinks(cleanupDeadlineMs)
    try {
      const store = await this.#reach(links)
      await store.removeOlder(this.#expiresMs)
    } catch (error) {
      throw this.#failed(error)
    } finally {
      await links.close()
    }
  }

  /** `id`: undefined for any. */
  #onStored(id: string | undefined): void {
    if (id === undefined) this.#polling.lookNow()
    else this.#polling.lookSoon(id)
  }

  async #guard<T>(work: (store: SqlStore) => Promise<T>): Promise<T> {
    if (this.#closing) throw backendClosed()
    try {
      this.#store ??= this.#reach(this.#links)
      return await work(await this.#store)
    } catch (error) {
      // The tables may have been changed or removed: they are looked at again.
      if (!MessagingError.is(error) || error.code === 'MESSAGING_STORE_FAILED')
        this.#store = undefined
      throw this.#failed(error)
    }
  }

  async #reach(links: Links): Promise<SqlStore> {
    const { clock } = this.#ambient
    try {
      const kysely = await loadKysely()
      const run: Links['run'] = (sql, values) => links.run(sql, values)
      const db = makeDatabase(kysely, this.#address.kind, run)
      const isExtended = this.#config.resultExtended === true
      const making = { db, sql: kysely.sql, dialect: this.#dialect, clock, isExtended }
      const tables = await readyTables(making, this.#places)
      return new SqlStore(db, kysely, this.#dialect, tables, clock)
    } catch (error) {
      if (links === this.#links) this.#store = undefined
      throw error
    }
  }

  #newLinks(deadlineMs: number): Links {
    return new Links(() => this.#dialect.open(deadlineMs), {
      clock: this.#ambient.clock,
      deadlineMs,
      isShortLived: this.#config.databaseShortLivedSessions === true,
      recycleMs: readEngineOptions(this.#config).recycleMs,
    })
  }

  #failed(error: unknown): TasksError {
    return backendFailed(`on ${this.#dialect.title}`, asRefused(error))
  }
}

function dialectOf(address: SqlAddress, ambient: Ambient): Dialect {
  switch (address.kind) {
    case 'postgresql':
      return postgresDialect(address.target, ambient)
    case 'mysql':
      return mysqlDialect(address.target, ambient)
    case 'sqlite':
      return sqliteDialect(address.file, address.busyTimeoutMs)
  }
}
