import { randomUUID } from 'node:crypto'
import { describe, it } from '@jest/globals'
import { Connection, systemAmbient } from '@celeriac/messaging'
import { resultCodec } from '../../src/backend/result-codec.ts'
import { MemoryBackend } from '../../src/backends/memory.ts'
import { backendOptions, backendSuite } from '../../src/testing/index.ts'

const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']

backendSuite(
  { describe, it },
  {
    name: 'memory',
    open: (options) =>
      new MemoryBackend(backendOptions('memory://suite', options), systemAmbient()),
    unique: randomUUID,
    codecs: await Promise.all(names.map((name) => resultCodec(codec, name, names))),
  },
)
