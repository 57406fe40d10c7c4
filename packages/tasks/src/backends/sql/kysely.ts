/** The one door to Kysely, which writes the statements; they run over links that are made again. */
import { optionalDriver } from '@celeriac/messaging/internal'
import type * as kysely from 'kysely'
import type { SqlAddress } from './address.ts'
import type { SqlAnswer } from './links.ts'

export type Kysely = typeof kysely
/** Names of tables are settings, so their columns are nobody's types. */
type Tables = Record<string, Record<string, unknown>>
export type Database = kysely.Kysely<Tables>
export type Expression<T> = kysely.RawBuilder<T>
export type Sql = typeof kysely.sql
export type Statements = kysely.QueryCreator<Tables>
export type ColumnType = kysely.ColumnDataType | kysely.Expression<unknown>

/** Rejects with `MESSAGING_DRIVER_MISSING` (fatal), which says what to install. */
export function loadKysely(load: () => Promise<unknown> = () => import('kysely')): Promise<Kysely> {
  return optionalDriver('kysely', '^0.28.18', 'the result backend in SQL', load)
}

/** `run` runs one statement; each stands for itself, there are no transactions. */
export function makeDatabase(
  { Kysely, ...parts }: Kysely,
  kind: SqlAddress['kind'],
  run: (sql: string, values: readonly unknown[]) => Promise<SqlAnswer>,
): Database {
  const [Adapter, Compiler, Introspector] = {
    postgresql: [parts.PostgresAdapter, parts.PostgresQueryCompiler, parts.PostgresIntrospector],
    mysql: [parts.MysqlAdapter, parts.MysqlQueryCompiler, parts.MysqlIntrospector],
    sqlite: [parts.SqliteAdapter, parts.SqliteQueryCompiler, parts.SqliteIntrospector],
  }[kind] as [
    typeof parts.PostgresAdapter,
    typeof parts.PostgresQueryCompiler,
    typeof parts.PostgresIntrospector,
  ]
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new Adapter(),
      createQueryCompiler: () => new Compiler(),
      createIntrospector: (db) => new Introspector(db),
      createDriver: () => new StatementDriver(run),
    },
  })
}

class StatementDriver implements kysely.Driver {
  readonly #connection: kysely.DatabaseConnection

  constructor(run: (sql: string, values: readonly unknown[]) => Promise<SqlAnswer>) {
    this.#connection = {
      async executeQuery<R>({ sql, parameters }: kysely.CompiledQuery) {
        const { rows, count } = await run(sql, parameters)
        return { rows: rows as R[], numAffectedRows: BigInt(count) }
      },
      streamQuery: refuse,
    }
  }

  async init(): Promise<void> {}
  async acquireConnection(): Promise<kysely.DatabaseConnection> {
    return this.#connection
  }
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
  beginTransaction = refuse
  commitTransaction = refuse
  rollbackTransaction = refuse
}

function refuse(): never {
  throw new TypeError('statements of results stand for themselves')
}
