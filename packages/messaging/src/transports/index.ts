/** Every URL scheme this package can speak. Adding a transport is a folder and its lines here. */
import type { TransportEntry } from '../transport/transport.ts'

const redis = async () => (await import('./redis/transport.ts')).redis
const postgres = async () => (await import('./postgres/transport.ts')).postgres
const mongodb = async () => (await import('./mongodb/transport.ts')).mongodb
const amqp = async () => (await import('./amqp/transport.ts')).amqp

export const transports = {
  memory: {
    load: async () => (await import('./memory/transport.ts')).memory,
    defaultPort: undefined,
  },
  sqlite: {
    load: async () => (await import('./sqlite/transport.ts')).sqlite,
    defaultPort: undefined,
  },
  filesystem: {
    load: async () => (await import('./filesystem/transport.ts')).filesystem,
    defaultPort: undefined,
  },
  redis: { load: redis, defaultPort: 6379 },
  rediss: { load: redis, defaultPort: 6379 },
  'redis+socket': { load: redis, defaultPort: undefined },
  'redis+cluster': { load: redis, defaultPort: 6379, gathers: true },
  'rediss+cluster': { load: redis, defaultPort: 6379, gathers: true },
  sentinel: { load: redis, defaultPort: 26379, gathers: true },
  postgres: { load: postgres, defaultPort: 5432 },
  postgresql: { load: postgres, defaultPort: 5432 },
  mongodb: { load: mongodb, defaultPort: 27017 },
  'mongodb+srv': { load: mongodb, defaultPort: undefined },
  amqp: { load: amqp, defaultPort: 5672, publishesApart: true },
  amqps: { load: amqp, defaultPort: 5671, publishesApart: true },
  pyamqp: { load: amqp, defaultPort: 5672, publishesApart: true },
} as const satisfies Record<string, TransportEntry>
