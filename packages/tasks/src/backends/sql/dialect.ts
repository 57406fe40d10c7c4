/** What differs between databases, and what most of them have in common. */
import { MessagingError } from '@celeriac/messaging'
import type { ColumnType, Database, Expression, Sql, Statements } from './kysely.ts'
import type { SqlLink } from './links.ts'

/** A table of Celery's: of tasks, or of saved groups. */
export interface Place {
  readonly schema: string | undefined
  readonly name: string
  /** Where its ids come from, on databases that have sequences. */
  readonly sequence: string
  /** The column that nothing may have twice. */
  readonly key: 'task_id' | 'taskset_id'
}

/** A table as it is there. */
export interface FoundTable {
  /** Name → longest value in bytes, Infinity where nothing is known of it. */
  readonly columns: ReadonlyMap<string, number>
  /** The sequence its ids come from is there, too. */
  readonly hasSequence: boolean
  /** It gives ids to rows that have none. */
  readonly numbersItself: boolean
}

/** Columns by name; dates and ids are expressions. */
export type StoredRow = Readonly<Record<string, unknown>>

export interface Dialect {
  /** What it is called in messages. */
  readonly title: string
  readonly types: {
    readonly bytes: (sql: Sql) => ColumnType
    readonly text: (sql: Sql) => ColumnType
    readonly date: ColumnType
  }
  /** Dates keep no fraction; the server would round one up, to a second that has not come. */
  readonly keepsSeconds?: boolean
  open(deadlineMs: number): Promise<SqlLink>
  /** `YYYY-MM-DD HH:MM:SS.ffffff` in UTC → the value of a date. */
  toDate(sql: Sql, text: string | null): Expression<string | null>
  /** `date_done` the other way round; fractions may be missing. */
  fromDate(sql: Sql): Expression<string | null>
  /** Undefined when it is not there. */
  look(db: Database, sql: Sql, place: Place): Promise<FoundTable | undefined>
  /** Whether new tables get their ids from sequences. */
  usesSequences(db: Database, sql: Sql): Promise<boolean>
  /** The next id of a sequence. */
  nextId(sql: Sql, place: Place): Expression<number>
  /** Writes rows of different keys, each new or in the place of an older one, but never over a SUCCESS. */
  put(db: Database, sql: Sql, place: Place, rows: readonly StoredRow[]): Promise<void>
  /** True for the error of making what somebody else has just made. */
  isMadeMeanwhile(error: unknown): boolean
  /** Tells of ids that are stored; with undefined when some may have been missed. */
  listen?(onId: (id: string | undefined) => void): Listening
}

export interface Listening {
  /** Somebody waits from now on. */
  start(): void
  close(): Promise<void>
}

/** The code a database gave to its error, whoever wrapped it. */
export function databaseCode(error: unknown): string | number | undefined {
  const own = MessagingError.is(error) ? error.cause : error
  const { code, errno } = (own ?? {}) as { code?: unknown; errno?: unknown }
  if (typeof errno === 'number') return errno
  return typeof code === 'string' ? code : undefined
}

/** The statement that PostgreSQL and SQLite write rows with. */
export function upsert(db: Statements, sql: Sql, { name, key }: Place, rows: readonly StoredRow[]) {
  const columns = Object.keys(rows[0]!).filter((column) => column !== 'id' && column !== key)
  return db
    .insertInto(name)
    .values([...rows])
    .onConflict((conflict) => {
      const update = conflict
        .column(key)
        .doUpdateSet((build) =>
          Object.fromEntries(columns.map((column) => [column, build.ref(`excluded.${column}`)])),
        )
      // A row that Python is about to fill has no state yet.
      return key === 'task_id'
        ? update.where(sql<boolean>`coalesce(${sql.id(name, 'status')}, '') <> 'SUCCESS'`)
        : update
    })
}
