/**
 * MongoDB, laid out as Kombu does: Python producers and consumers share its queues.
 * `mongodb://user:password@host:27017/database`; options of the driver go into the query.
 */
import { mongoOptionNames } from '../../clients/mongodb.ts'
import type { Capabilities } from '../../transport/capabilities.ts'
import { virtualTransport } from '../../virtual/transport.ts'
import { ownOptions } from './schema.ts'
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
  // A queue that reads the broadcast collection reads nothing else.
  exchangeBindings: false,
  consumerPriority: false,
  countsAttempts: true,
  fanoutNeedsConsumer: true,
  autoDelete: false,
  exclusiveQueues: false,
}

/**
 * Transport options, by Kombu's names: `messagesCollection`, `routingCollection`, `broadcastCollection`,
 * `queuesCollection`, `defaultDatabase` (`kombu_default`), `ttl` (false), `cappedQueueSize` (100,000 bytes),
 * `calcQueueSize` (true), `connectTimeout` (seconds), `pollingInterval` (1 second), and those of TLS
 * (transport/tls.ts).
 */
export const mongodb = virtualTransport({
  name: 'mongodb',
  capabilities,
  options: [...ownOptions, ...mongoOptionNames],
  open: (options, context) => MongoStore.open(options, context),
})
