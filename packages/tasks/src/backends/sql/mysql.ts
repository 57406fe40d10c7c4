/** MySQL and MariaDB; the latter has sequences, and SQLAlchemy uses them. */
import type { Ambient, ConnectOptions } from '@celeriac/messaging'
import { tlsOf } from '@celeriac/messaging/internal'
import { asConfig } from '../failures.ts'
import { databaseCode, type Dialect, type FoundTable, type Place } from './dialect.ts'
import type { Database, Sql } from './kysely.ts'
import { openMysql } from './mysql-link.ts'
import { connectMs } from './postgres.ts'
import { at } from './tables.ts'

const tableExists = 1050

export function mysqlDialect(
  target: ConnectOptions['target'],
  { clock }: Pick<Ambient, 'clock'>,
): Dialect {
  // What is wrong with its options is known before anybody connects.
  asConfig(() => tlsOf(target, false))
  return {
    title: 'MySQL',
    // SQLAlchemy's `blob` and `text` end at 64 kB; to Python these are the same.
    types: {
      bytes: (sql) => sql`longblob`,
      text: (sql) => sql`longtext`,
      date: 'datetime',
    },

    open: (deadlineMs) =>
      openMysql(target, { clock, deadlineMs, timeoutMs: Math.min(deadlineMs, connectMs(target)) }),

    keepsSeconds: true,
    toDate: (sql, text) => sql`${text}`,
    fromDate: (sql) => sql`date_done`,
    look,

    async usesSequences(db, sql) {
      const { rows } = await sql<{ version: string }>`select version() as version`.execute(db)
      const [, major, minor] = /^(\d+)\.(\d+).*MariaDB/i.exec(rows[0]!.version) ?? []
      return major !== undefined && Number(major) * 1000 + Number(minor) >= 10_003
    },

    nextId(sql, { schema, sequence }) {
      return sql`nextval(${schema === undefined ? sql.id(sequence) : sql.id(schema, sequence)})`
    },

    async put(db, sql, place, rows) {
      const { name, key } = place
      const columns = Object.keys(rows[0]!).filter((one) => one !== 'id' && one !== key)
      // Assigned one after the other, so that the state which decides comes last.
      const last = columns
        .filter((one) => one !== 'status')
        .concat(columns.includes('status') ? ['status'] : [])
      const updates = last.map((one) => {
        const column = sql.id(one)
        return key === 'taskset_id'
          ? [one, sql`values(${column})`]
          : [one, sql`if(status <=> 'SUCCESS', ${column}, values(${column}))`]
      })
      await at(db, place)
        .insertInto(name)
        .values([...rows])
        .onDuplicateKeyUpdate(Object.fromEntries(updates) as Record<string, unknown>)
        .execute()
    },

    isMadeMeanwhile: (error) => databaseCode(error) === tableExists,
  }
}

async function look(db: Database, sql: Sql, place: Place): Promise<FoundTable | undefined> {
  const { schema = null, name, sequence } = place
  const { rows } = await sql<{ name: string; longest: number | null; numbered: number }>`
    select column_name as name, character_octet_length as longest,
      extra like '%auto_increment%' as numbered
    from information_schema.columns
    where table_schema = coalesce(${schema}, database()) and table_name = ${name}`.execute(db)
  if (rows.length === 0) return undefined
  const found = await sql`
    select table_name from information_schema.tables
    where table_schema = coalesce(${schema}, database()) and table_name = ${sequence}
      and table_type = 'SEQUENCE'`.execute(db)
  return {
    columns: new Map(rows.map((row) => [row.name, Number(row.longest ?? Infinity)])),
    hasSequence: found.rows.length > 0,
    numbersItself: rows.some((row) => row.name === 'id' && Number(row.numbered) === 1),
  }
}
