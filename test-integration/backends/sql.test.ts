/** Results in SQL against their suite: PostgreSQL, MariaDB, and SQLite in Celery's tables. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, it } from '@jest/globals'
import { Connection, systemAmbient } from '@celeriac/messaging'
import { backends, resultCodec } from '@celeriac/tasks/internal'
import { backendOptions, backendSuite } from '@celeriac/tasks/testing'
import { databases, type DatabasePlace } from '../fixtures/databases.ts'
import { describeWith } from '../services/brokers.ts'

const SqlBackend = await backends.postgresql.load()
const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']
const codecs = await Promise.all(names.map((name) => resultCodec(codec, name, names)))

for (const [kind, needed] of [
  ['postgres', ['postgres']],
  ['mariadb', ['mariadb']],
  ['sqlite', []],
] as const) {
  describeWith(needed, `on ${kind}`, () => {
    let place: DatabasePlace
    beforeAll(async () => {
      place = await databases[kind]()
    })
    afterAll(() => place.remove())

    backendSuite(
      { describe, it },
      {
        name: `sql on ${kind}`,
        open(options) {
          const { url, schema } = place
          const config = {
            databaseTableNames: { task: 'suite tasks', group: 'suite "groups"' },
            ...(schema !== undefined && { databaseTableSchemas: { task: schema, group: schema } }),
            resultExtended: true,
          }
          return new SqlBackend(backendOptions(url, options, { config }), systemAmbient())
        },
        unique: randomUUID,
        // Celery's table has no columns for them.
        lacks: ['children', 'groupId', 'parentId'],
        codecs,
      },
    )
  })
}
