/** The statements of the backend, on tables that are ready. */
import type { Clock } from '@celeriac/messaging'
import { chunksOf } from '../batches.ts'
import type { Dialect, Place, StoredRow } from './dialect.ts'
import type { Database, Kysely, Sql } from './kysely.ts'
import { isValueRefused } from './refused.ts'
import { tooLarge, utcText, type TaskRow } from './rows.ts'
import { at, extendedColumns, type ReadyTable, type ReadyTables } from './tables.ts'

/** Rows and bytes of one statement: databases limit its parameters and its length. */
const rowsAtOnce = 500
const bytesAtOnce = 4_000_000
const idsAtOnce = 1000

export class SqlStore {
  readonly #db: Database
  readonly #sql: Sql
  readonly #dialect: Dialect
  readonly #tables: ReadyTables
  readonly #clock: Clock

  constructor(db: Database, { sql }: Kysely, dialect: Dialect, tables: ReadyTables, clock: Clock) {
    this.#db = db
    this.#sql = sql
    this.#dialect = dialect
    this.#tables = tables
    this.#clock = clock
  }

  /** Stores rows of different ids. What the database takes is stored, also when it refuses another. */
  async put(rows: readonly TaskRow[]): Promise<void> {
    const fitting: StoredRow[] = []
    const refused: unknown[] = []
    for (const row of rows) {
      try {
        fitting.push(this.#stored(row))
      } catch (error) {
        refused.push(error)
      }
    }
    const { place } = this.#tables.task
    // In one order everywhere, so that two that write the same rows wait for one another and never in a ring.
    fitting.sort((a, b) => (String(a['task_id']) < String(b['task_id']) ? -1 : 1))
    for (const chunk of bySize(fitting)) {
      try {
        await this.#put(place, chunk)
      } catch (error) {
        if (!isValueRefused(error)) throw error
        if (chunk.length === 1) refused.push(error)
        else for (const row of chunk) await this.#put(place, [row]).catch(keepRefused)
      }
    }
    if (refused.length > 0) throw refused[0]

    function keepRefused(error: unknown): void {
      if (!isValueRefused(error)) throw error
      refused.push(error)
    }
  }

  async read(ids: readonly string[]): Promise<Map<string, TaskRow>> {
    const { place, columns } = this.#tables.task
    const extended = extendedColumns.filter((column) => columns.has(column))
    const found = new Map<string, TaskRow>()
    for (const chunk of chunksOf(ids, idsAtOnce)) {
      const rows = await at(this.#db, place)
        .selectFrom(place.name)
        .select(['task_id', 'status', 'result', 'traceback', ...extended])
        .select(this.#dialect.fromDate(this.#sql).as('date_done'))
        .where('task_id', 'in', chunk)
        .execute()
      for (const row of rows as unknown as TaskRow[]) found.set(row.task_id, row)
    }
    return found
  }

  async remove(ids: readonly string[]): Promise<void> {
    const { place } = this.#tables.task
    for (const chunk of chunksOf(ids, idsAtOnce))
      await at(this.#db, place).deleteFrom(place.name).where('task_id', 'in', chunk).execute()
  }

  async putGroup(id: string, result: Uint8Array): Promise<void> {
    const { group } = this.#tables
    checkLength(group, 'result', result)
    const now = utcText(new Date(this.#clock.now()).toISOString())
    const row = { taskset_id: id, result, date_done: this.#kept(now), ...this.#id(group) }
    await this.#put(group.place, [row])
  }

  async readGroup(id: string): Promise<Uint8Array | undefined> {
    const { place } = this.#tables.group
    const row = await at(this.#db, place)
      .selectFrom(place.name)
      .select('result')
      .where('taskset_id', '=', id)
      .executeTakeFirst()
    return (row?.['result'] as Uint8Array | null | undefined) ?? undefined
  }

  async removeGroup(id: string): Promise<void> {
    const { place } = this.#tables.group
    await at(this.#db, place).deleteFrom(place.name).where('taskset_id', '=', id).execute()
  }

  /** Removes what was done `ms` ago or earlier, some rows at a time. */
  async removeOlder(ms: number): Promise<void> {
    const limit = utcText(new Date(this.#clock.now() - ms).toISOString())
    for (const { place } of [this.#tables.task, this.#tables.group]) {
      const db = at(this.#db, place)
      const isOld = this.#sql<boolean>`date_done < ${this.#date(limit)}`
      for (let removed = idsAtOnce; removed >= idsAtOnce;) {
        // In a query of its own: MySQL takes no limit where it deletes from.
        const old = db.selectFrom(place.name).select('id').where(isOld).limit(idsAtOnce).as('old')
        const { numDeletedRows } = await db
          .deleteFrom(place.name)
          .where('id', 'in', db.selectFrom(old).select('old.id'))
          .executeTakeFirstOrThrow()
        removed = Number(numDeletedRows)
      }
    }
  }

  #put(place: Place, rows: readonly StoredRow[]): Promise<void> {
    return this.#dialect.put(this.#db, this.#sql, place, rows)
  }

  #date(text: string | null) {
    return this.#dialect.toDate(this.#sql, text)
  }

  /** A date as a column keeps it. */
  #kept(text: string | null) {
    return this.#date(this.#dialect.keepsSeconds ? (text?.slice(0, 19) ?? null) : text)
  }

  #id({ place, hasSequence }: ReadyTable): { id?: unknown } {
    return hasSequence ? { id: this.#dialect.nextId(this.#sql, place) } : {}
  }

  /** Columns that are there, of a length that nothing cuts off. */
  #stored(row: TaskRow): StoredRow {
    const { task } = this.#tables
    const { date_done: date, traceback, ...plain } = row
    for (const [name, value] of Object.entries(plain))
      if (value instanceof Uint8Array) checkLength(task, name, value)
    const all = {
      ...plain,
      traceback: traceback === null ? null : endOf(traceback, lengthOf(task, 'traceback')),
      date_done: this.#kept(date),
    }
    return {
      ...this.#id(task),
      ...Object.fromEntries(Object.entries(all).filter(([name]) => task.columns.has(name))),
    }
  }
}

function lengthOf(table: ReadyTable, column: string): number {
  return table.columns.get(column) ?? Infinity
}

function checkLength(table: ReadyTable, column: string, bytes: Uint8Array): void {
  const longest = lengthOf(table, column)
  if (bytes.length <= longest) return
  throw tooLarge(
    `the column ${column} of ${table.place.name} holds ${longest} bytes, found ${bytes.length}; ALTER TABLE ${table.place.name} MODIFY ${column} LONGBLOB`,
  )
}

/** What matters most of a traceback is its end. */
function endOf(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text
  // A character has three bytes at most for each of its units.
  return `…\n${text.slice(-Math.floor((bytes - 4) / 3))}`
}

function bySize(rows: readonly StoredRow[]): StoredRow[][] {
  const chunks: StoredRow[][] = []
  let bytes = Infinity
  for (const row of rows) {
    const size = sizeOf(row)
    const last = chunks.at(-1)
    if (!last || last.length >= rowsAtOnce || bytes + size > bytesAtOnce) {
      chunks.push([row])
      bytes = size
    } else {
      last.push(row)
      bytes += size
    }
  }
  return chunks
}

function sizeOf(row: StoredRow): number {
  let size = 0
  for (const value of Object.values(row)) {
    if (value instanceof Uint8Array || typeof value === 'string') size += value.length
  }
  return size
}
