/** SQLite in Celery's tables, for files that Python processes use as well. */
import { loadSqliteClients, type SqliteDatabase } from '@celeriac/messaging/internal'
import { upsert, type Dialect } from './dialect.ts'
import type { SqlLink } from './links.ts'
import { at } from './tables.ts'

type Value = string | number | bigint | null | Uint8Array

export function sqliteDialect(file: string, busyTimeoutMs: number): Dialect {
  return {
    title: 'SQLite',
    types: { bytes: () => 'blob', text: () => 'text', date: 'datetime' },

    async open(): Promise<SqlLink> {
      const { openSqlite, sqliteError } = await loadSqliteClients()
      const database = await openSqlite(file, { busyTimeoutMs })
      let end!: () => void
      const ended = new Promise<void>((resolve) => (end = resolve))
      return {
        ended,
        async run(sql, values) {
          try {
            return runOn(database, sql, values as Value[])
          } catch (error) {
            throw sqliteError(error, 'asking SQLite')
          }
        },
        async close() {
          database.close()
          end()
        },
      }
    },

    toDate: (sql, text) => sql`${text}`,
    fromDate: (sql) => sql`date_done`,

    async look(db, sql, { name }) {
      const { rows } = await sql<{ name: string }>`
        select name from pragma_table_info(${name})`.execute(db)
      if (rows.length === 0) return undefined
      const columns = new Map(rows.map((row) => [row.name, Infinity]))
      return { columns, hasSequence: false, numbersItself: true }
    },

    usesSequences: () => Promise.resolve(false),
    nextId: (sql) => sql`null`,

    async put(db, sql, place, rows) {
      await upsert(at(db, place), sql, place, rows).execute()
    },

    isMadeMeanwhile: () => false,
  }
}

function runOn(database: SqliteDatabase, sql: string, values: Value[]) {
  const statement = database.prepare(sql)
  if (/^\s*(?:select|with|pragma)\b/i.test(sql)) {
    return { rows: statement.all(...values), count: 0 }
  }
  return { rows: [], count: Number(statement.run(...values).changes) }
}
