/** Redis, laid out as Kombu does: Python producers and consumers share its queues. */
import type { Capabilities } from '../../transport/capabilities.ts'
import { virtualTransport } from '../../virtual/transport.ts'
import { RedisStore } from './store.ts'

export const capabilities: Capabilities = {
  exchangeTypes: ['direct', 'topic', 'fanout'],
  persistent: true,
  shared: true,
  // As Kombu on Redis, and the opposite of AMQP.
  priority: 'low-first',
  delay: true,
  mandatory: true,
  messageTtl: false,
  countsAttempts: true,
  fanoutNeedsConsumer: true,
  exclusiveQueues: false,
}

export const redis = virtualTransport({
  name: 'redis',
  capabilities,
  open: (options, context) => RedisStore.open(options, context),
})
