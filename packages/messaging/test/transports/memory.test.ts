import { describe, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import { transportSuite } from '../../src/testing/index.ts'
import { capabilities } from '../../src/transports/memory/transport.ts'

let count = 0

transportSuite(
  { describe, it },
  {
    name: 'memory',
    capabilities,
    connect: () => new Connection('memory://suite'),
    unique: (prefix) => `${prefix}-${++count}`,
  },
)
