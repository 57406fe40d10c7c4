/** AMQP 0-9-1, spoken to RabbitMQ through amqplib. */
import type { Capabilities } from '../../transport/capabilities.ts'
import { notSupported } from '../../transport/capabilities.ts'
import type { Transport } from '../../transport/transport.ts'

export const capabilities: Capabilities = {
  exchangeTypes: ['direct', 'topic', 'fanout', 'headers'],
  persistent: true,
  shared: true,
  priority: 'high-first',
  delay: false,
  mandatory: true,
  messageTtl: true,
  countsAttempts: true,
  fanoutNeedsConsumer: false,
  exclusiveQueues: true,
}

export const amqp: Transport = {
  name: 'amqp',
  capabilities,
  connect: () => Promise.reject(notSupported('amqp', 'connect yet')),
}
