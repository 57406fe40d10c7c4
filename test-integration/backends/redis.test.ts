/** The Redis result backend against its suite, on a real server. */
import { randomUUID } from 'node:crypto'
import { describe, it } from '@jest/globals'
import { Connection, systemAmbient } from '@celeriac/messaging'
import { backends, resultCodec } from '@celeriac/tasks/internal'
import { backendOptions, backendSuite } from '@celeriac/tasks/testing'
import { describeWith, urlOf } from '../services/brokers.ts'

const RedisBackend = await backends.redis.load()
const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']
const codecs = await Promise.all(names.map((name) => resultCodec(codec, name, names)))

describeWith('redis', 'on Redis', () => {
  backendSuite(
    { describe, it },
    {
      name: 'redis',
      open: (options) => new RedisBackend(backendOptions(urlOf('redis'), options), systemAmbient()),
      unique: randomUUID,
      codecs,
    },
  )
})
