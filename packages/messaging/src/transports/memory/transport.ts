/**
 * A broker inside this process. Connections to the same `memory://name` share it; it goes with the
 * process. The map of names is the one deliberate global: without it two connections could not meet.
 */
import type { Capabilities } from '../../transport/capabilities.ts'
import { virtualTransport } from '../../virtual/transport.ts'
import { MemoryBroker } from './broker.ts'
import { MemoryStore } from './store.ts'

const brokers = new Map<string, MemoryBroker>()

export const capabilities: Capabilities = {
  exchangeTypes: ['direct', 'topic', 'fanout', 'headers'],
  persistent: false,
  shared: false,
  priority: 'high-first',
  delay: true,
  delayedPublish: true,
  mandatory: true,
  messageTtl: true,
  queueExpiry: true,
  maxLength: true,
  deadLetters: true,
  exchangeBindings: true,
  consumerPriority: false,
  countsAttempts: true,
  fanoutNeedsConsumer: false,
  autoDelete: true,
  exclusiveQueues: true,
}

export const memory = virtualTransport({
  name: 'memory',
  capabilities,
  // Kombu's for brokers with leases and polls, so that a test may say `memory` and nothing else.
  options: ['visibilityTimeout', 'pollingInterval'],
  open({ target }, context) {
    const name = `${target.host}/${target.path}`
    let broker = brokers.get(name)
    if (!broker) brokers.set(name, (broker = new MemoryBroker()))
    return Promise.resolve(new MemoryStore(broker, context))
  },
})
