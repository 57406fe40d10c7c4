/**
 * MongoDB, laid out as Kombu does: Python producers and consumers share its queues.
 * `mongodb://user:password@host:27017/database`; options of the driver go into the query.
 */
import type { Capabilities } from '../../transport/capabilities.ts'
import { virtualTransport } from '../../virtual/transport.ts'
import { MongoStore } from './store.ts'

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
  fanoutNeedsConsumer: true,
  autoDelete: false,
  exclusiveQueues: false,
}

/**
 * Transport options, by Kombu's names: `messagesCollection`, `routingCollection`, `broadcastCollection`,
 * `queuesCollection`, `defaultDatabase` (`kombu_default`), `ttl` (false), `cappedQueueSize` (100,000 bytes),
 * `calcQueueSize` (true), `connectTimeout` (seconds), `ssl`, `pollingInterval` (1 second).
 */
export const mongodb = virtualTransport({
  name: 'mongodb',
  capabilities,
  open: (options, context) => MongoStore.open(options, context),
})
