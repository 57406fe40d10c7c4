/** The embedded broker: one SQLite file shared by several processes of one machine. */
import type { Capabilities } from '../../transport/capabilities.ts'
import { notSupported } from '../../transport/capabilities.ts'
import type { Transport } from '../../transport/transport.ts'

export const capabilities: Capabilities = {
  exchangeTypes: ['direct', 'topic', 'fanout', 'headers'],
  persistent: true,
  shared: true,
  priority: 'high-first',
  delay: true,
  mandatory: true,
  messageTtl: false,
  countsAttempts: true,
  fanoutNeedsConsumer: false,
  exclusiveQueues: false,
}

export const sqlite: Transport = {
  name: 'sqlite',
  capabilities,
  connect: () => Promise.reject(notSupported('sqlite', 'connect yet')),
}
