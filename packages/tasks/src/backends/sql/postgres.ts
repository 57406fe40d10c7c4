/** PostgreSQL: ids from sequences as SQLAlchemy takes them, and notices of what is stored. */
import type { Ambient, ConnectOptions } from '@celeriac/messaging'
import { loadPostgresClients, type PostgresLink } from '@celeriac/messaging/internal'
import { databaseCode, upsert, type Dialect, type FoundTable, type Place } from './dialect.ts'
import type { Database, Sql } from './kysely.ts'
import type { SqlLink } from './links.ts'
import { PostgresNotices, resultsChannel } from './postgres-notices.ts'
import { at } from './tables.ts'

/** Already made, or being made: duplicate table, object, key; and a catalog row that another changed. */
const madeMeanwhile = new Set<unknown>(['42P07', '42710', '23505', 'XX000'])

export function postgresDialect(target: ConnectOptions['target'], ambient: Ambient): Dialect {
  async function connect(deadlineMs: number): Promise<PostgresLink> {
    const { PostgresLink } = await loadPostgresClients()
    return await PostgresLink.open(
      {
        target,
        ambient,
        timeoutMs: Math.min(deadlineMs, connectMs(target)),
        heartbeatSeconds: 10,
        clientName: 'celeriac-results',
      },
      { deadlineMs },
    )
  }
  return {
    title: 'PostgreSQL',
    types: { bytes: () => 'bytea', text: () => 'text', date: 'timestamp' },

    async open(deadlineMs): Promise<SqlLink> {
      const link = await connect(deadlineMs)
      return {
        ended: link.ended,
        run: (text, values) => link.run({ text }, values),
        close: () => link.close(),
      }
    },

    // As Python's drivers do: the column has no zone, so the server takes the session's.
    toDate: (sql, text) => sql`cast(${text === null ? null : `${text}+00:00`} as timestamptz)`,
    fromDate: (sql) =>
      sql`to_char(date_done::timestamptz at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`,
    look,
    usesSequences: () => Promise.resolve(true),
    nextId: (sql, place) => sql`nextval(${sql.lit(quoted(place.schema, place.sequence))})`,

    async put(db, sql, place, rows) {
      const { key } = place
      await at(db, place)
        .with('stored', (within) => upsert(within, sql, place, rows).returning(key))
        .selectFrom('stored')
        .select(
          place.key === 'task_id'
            ? sql`pg_notify(${sql.lit(resultsChannel)}, ${sql.ref(key)})`.as('told')
            : sql.ref(key).as('told'),
        )
        .execute()
    },

    isMadeMeanwhile: (error) => madeMeanwhile.has(databaseCode(error)),
    listen: (onId) => new PostgresNotices(() => connect(5000), ambient.clock, onId),
  }
}

/** Milliseconds to connect: libpq's `connect_timeout` is in seconds. */
export function connectMs({ options }: ConnectOptions['target']): number {
  const seconds = options['connectTimeout']
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : Infinity
}

/** As the parser of names reads it. */
function quoted(schema: string | undefined, name: string): string {
  const parts = schema === undefined ? [name] : [schema, name]
  return parts.map((part) => `"${part.replaceAll('"', '""')}"`).join('.')
}

async function look(db: Database, sql: Sql, place: Place): Promise<FoundTable | undefined> {
  const { rows } = await sql<{ name: string; numbered: boolean; sequenced: boolean }>`
    select attname as name,
      attidentity <> '' or atthasdef as numbered,
      to_regclass(${quoted(place.schema, place.sequence)}) is not null as sequenced
    from pg_attribute
    where attrelid = to_regclass(${quoted(place.schema, place.name)})
      and attnum > 0 and not attisdropped`.execute(db)
  if (rows.length === 0) return undefined
  return {
    columns: new Map(rows.map(({ name }) => [name, Infinity])),
    hasSequence: rows[0]!.sequenced,
    numbersItself: rows.some(({ name, numbered }) => name === 'id' && numbered),
  }
}
