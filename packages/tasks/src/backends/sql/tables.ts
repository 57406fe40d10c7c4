/**
 * Celery's two tables: found, or made as SQLAlchemy makes them, also when many processes come first at the
 * same time. Whoever makes them, the others can read and write them.
 */
import type { Config } from '../../config/options.ts'
import { isMapping } from '../../config/option.ts'
import { badBackend } from '../failures.ts'
import { sleep } from '@celeriac/messaging/internal'
import type { Clock } from '@celeriac/messaging'
import type { Dialect, FoundTable, Place } from './dialect.ts'
import type { Database, Sql } from './kysely.ts'

export interface Places {
  readonly task: Place
  readonly group: Place
}

/** A table that is ready to be written. */
export interface ReadyTable extends FoundTable {
  readonly place: Place
}

export interface ReadyTables {
  readonly task: ReadyTable
  readonly group: ReadyTable
}

/** Columns that `resultExtended` fills. */
export const extendedColumns = ['name', 'args', 'kwargs', 'worker', 'retries', 'queue'] as const

/** How often making is tried again when others make the same. */
const attempts = 10

/** From `databaseTableNames` and `databaseTableSchemas`; throws `TASKS_CONFIG_INVALID`. */
export function placesOf({
  databaseTableNames,
  databaseTableSchemas,
}: Pick<Partial<Config>, 'databaseTableNames' | 'databaseTableSchemas'>): Places {
  const names = textsOf(databaseTableNames, 'databaseTableNames')
  const schemas = textsOf(databaseTableSchemas, 'databaseTableSchemas')
  return {
    task: {
      schema: schemas.task,
      name: names.task ?? 'celery_taskmeta',
      sequence: 'task_id_sequence',
      key: 'task_id',
    },
    group: {
      schema: schemas.group,
      name: names.group ?? 'celery_tasksetmeta',
      sequence: 'taskset_id_sequence',
      key: 'taskset_id',
    },
  }
}

function textsOf(given: unknown, setting: string): { task?: string; group?: string } {
  if (given === undefined || given === null) return {}
  const texts: { task?: string; group?: string } = {}
  for (const [name, text] of Object.entries(isMapping(given) ? given : { given })) {
    if (text === null || text === undefined) continue
    if ((name !== 'task' && name !== 'group') || typeof text !== 'string' || text === '') {
      throw badBackend(
        `${setting} has names for 'task' and 'group', found ${JSON.stringify({ [name]: text })}`,
      )
    }
    texts[name] = text
  }
  return texts
}

/** The database as one table sees it: with its schema, where it has one. */
export function at(db: Database, { schema }: Place): Database {
  return schema === undefined ? db : db.withSchema(schema)
}

export interface Making {
  readonly db: Database
  readonly sql: Sql
  readonly dialect: Dialect
  readonly clock: Clock
  readonly isExtended: boolean
}

/** Both tables, made when they are not there. */
export async function readyTables(making: Making, places: Places): Promise<ReadyTables> {
  const task = await readyTable(making, places.task)
  const missing = extendedColumns.filter((column) => !task.columns.has(column))
  if (making.isExtended && missing.length > 0) {
    throw badBackend(
      `the table ${places.task.name} was made by an old Celery and has no ${missing.join(', ')}, which resultExtended fills; add the columns (varchar(155), ${'`args` and `kwargs`'} bytes, ${'`retries`'} integer), or switch resultExtended off`,
    )
  }
  return { task, group: await readyTable(making, places.group) }
}

async function readyTable(making: Making, place: Place): Promise<ReadyTable> {
  const { db, sql, dialect, clock } = making
  for (let attempt = 1; ; attempt++) {
    const found = await dialect.look(db, sql, place)
    if (found && (found.hasSequence || found.numbersItself)) return { ...found, place }
    try {
      await make(making, place, found !== undefined)
    } catch (error) {
      if (attempt === attempts || !dialect.isMadeMeanwhile(error)) throw error
      await sleep(clock, 10 * 2 ** attempt * Math.random())
    }
  }
}

/** Column by column what SQLAlchemy writes; only the width of bytes and texts is the dialect's. */
async function make({ db, sql, dialect }: Making, place: Place, isThere: boolean): Promise<void> {
  const { schema, sequence, name, key } = place
  const hasSequence = await dialect.usesSequences(db, sql)
  if (hasSequence) {
    const id = schema === undefined ? sql.id(sequence) : sql.id(schema, sequence)
    await sql`create sequence if not exists ${id}`.execute(db)
  }
  if (isThere) return
  const { bytes, text, date } = dialect.types
  const start = at(db, place)
    .schema.createTable(name)
    .ifNotExists()
    .addColumn('id', 'integer', (id) => {
      const own = id.notNull().primaryKey()
      return hasSequence ? own : own.autoIncrement()
    })
    .addColumn(key, 'varchar(155)', (column) => column.unique())
  const all =
    key === 'task_id'
      ? start
          .addColumn('status', 'varchar(50)')
          .addColumn('result', bytes(sql))
          .addColumn('date_done', date)
          .addColumn('traceback', text(sql))
          .addColumn('name', 'varchar(155)')
          .addColumn('args', bytes(sql))
          .addColumn('kwargs', bytes(sql))
          .addColumn('worker', 'varchar(155)')
          .addColumn('retries', 'integer')
          .addColumn('queue', 'varchar(155)')
      : start.addColumn('result', bytes(sql)).addColumn('date_done', date)
  await all.execute()
}
