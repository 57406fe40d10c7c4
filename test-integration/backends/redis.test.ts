/** The Redis result backend against its suite, on a real server. */
import { randomUUID } from 'node:crypto'
import { describe, it } from '@jest/globals'
import { systemAmbient } from '@celeriac/messaging'
import { backends } from '@celeriac/tasks/internal'
import { backendSuite } from '@celeriac/tasks/testing'
import { describeWith, urlOf } from '../services/brokers.ts'

const RedisBackend = await backends.redis.load()

describeWith('redis', 'on Redis', () => {
  backendSuite(
    { describe, it },
    {
      name: 'redis',
      open: ({ expiresSeconds = 60 } = {}) =>
        new RedisBackend({ url: urlOf('redis'), expiresSeconds, options: {} }, systemAmbient()),
      unique: randomUUID,
    },
  )
})
