import { afterAll, describe, it } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Connection } from '../../src/connection/connection.ts'
import { transportSuite } from '../../src/testing/index.ts'
import { capabilities } from '../../src/transports/sqlite/transport.ts'

const folder = mkdtempSync(join(tmpdir(), 'celeriac-sqlite-'))
let count = 0

afterAll(() => rmSync(folder, { recursive: true }))

transportSuite(
  { describe, it },
  {
    name: 'sqlite',
    capabilities,
    connect: () => new Connection(`sqlite://${folder}/broker.db`),
    unique: (prefix) => `${prefix}-${++count}`,
  },
)
