/** Redis, laid out as Kombu does: Python producers and consumers share its queues. */
import type { Capabilities } from '../../transport/capabilities.ts'
import { virtualTransport } from '../../virtual/transport.ts'
import { redisOptionNames } from './options.ts'
import { RedisStore } from './store.ts'

export const capabilities: Capabilities = {
  exchangeTypes: ['direct', 'topic', 'fanout'],
  persistent: true,
  shared: true,
  // As Kombu on Redis, and the opposite of AMQP.
  priority: 'low-first',
  delay: true,
  mandatory: true,
  messageTtl: true,
  queueExpiry: true,
  maxLength: false,
  deadLetters: false,
  exchangeBindings: false,
  consumerPriority: false,
  countsAttempts: true,
  fanoutNeedsConsumer: true,
  autoDelete: false,
  exclusiveQueues: false,
}

export const redis = virtualTransport({
  name: 'redis',
  capabilities,
  options: redisOptionNames,
  open: async (options, context) =>
    options.target.scheme.endsWith('+cluster')
      ? await (await import('./cluster-store.ts')).ClusterStore.open(options, context)
      : await RedisStore.open(options, context),
})
