import { randomUUID } from 'node:crypto'
import { describe, it } from '@jest/globals'
import { systemAmbient } from '@celeriac/messaging'
import { MemoryBackend } from '../../src/backends/memory.ts'
import { backendSuite } from '../../src/testing/index.ts'

backendSuite(
  { describe, it },
  {
    name: 'memory',
    open: ({ expiresSeconds = 60 } = {}) =>
      new MemoryBackend({ url: 'memory://suite', expiresSeconds, options: {} }, systemAmbient()),
    unique: randomUUID,
  },
)
