/**
 * A database that is there anyway as the broker: PostgreSQL, the tables in one schema, claims with SKIP
 * LOCKED, wake-ups with LISTEN and NOTIFY.
 */
import { postgresOptionNames } from '../../clients/postgres.ts'
import type { Capabilities } from '../../transport/capabilities.ts'
import { virtualTransport } from '../../virtual/transport.ts'
import { PostgresStore } from './store.ts'

export const capabilities: Capabilities = {
  exchangeTypes: ['direct', 'topic', 'fanout', 'headers'],
  persistent: true,
  shared: true,
  priority: 'high-first',
  delay: true,
  mandatory: true,
  messageTtl: true,
  queueExpiry: true,
  maxLength: false,
  deadLetters: true,
  exchangeBindings: true,
  consumerPriority: false,
  countsAttempts: true,
  fanoutNeedsConsumer: false,
  autoDelete: true,
  exclusiveQueues: true,
}

/** Transport options: `schema` (default `public`), `ssl` (Node's options of TLS), libpq's `sslmode`, …. */
export const postgres = virtualTransport({
  name: 'postgres',
  capabilities,
  // The last two are Kombu's for brokers with leases and polls: nothing to set here.
  options: [...postgresOptionNames, 'schema', 'visibilityTimeout', 'pollingInterval'],
  open: (options, context) => PostgresStore.open(options, context),
})
