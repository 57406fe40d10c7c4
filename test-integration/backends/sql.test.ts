/** Results in SQL against their suite: PostgreSQL, MariaDB, and SQLite in Celery's tables. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, it } from '@jest/globals'
import { Connection, systemAmbient } from '@celeriac/messaging'
import { backends, resultCodec } from '@celeriac/tasks/internal'
import { backendOptions, backendSuite } from '@celeriac/tasks/testing'
import { describeWith, urlOf } from '../services/brokers.ts'

const SqlBackend = await backends.postgresql.load()
const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']
const codecs = await Promise.all(names.map((name) => resultCodec(codec, name, names)))

const folder = mkdtempSync(path.join(tmpdir(), 'celeriac-sql-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function suite(name: string, url: () => string): void {
  backendSuite(
    { describe, it },
    {
      name,
      open: (options) =>
        new SqlBackend(
          backendOptions(url(), options, {
            config: {
              databaseTableNames: { task: 'suite_tasks', group: 'suite_groups' },
              resultExtended: true,
            },
          }),
          systemAmbient(),
        ),
      unique: randomUUID,
      // Celery's table has no columns for them.
      lacks: ['children', 'groupId', 'parentId'],
      codecs,
    },
  )
}

describeWith('postgres', 'on PostgreSQL', () => suite('postgresql', () => urlOf('postgres')))
describeWith('mariadb', 'on MariaDB', () => suite('mysql', () => urlOf('mariadb')))
describe('on SQLite', () => {
  suite('sqlite', () => `db+sqlite:///${path.join(folder, 'results.db')}`)
})
