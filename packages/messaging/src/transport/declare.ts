/** Sends the declaration of queues with their exchanges and bindings through a channel, in order. */
import { bindingsOf, type Queue } from '../topology/queue.ts'
import type { Exchange } from '../topology/exchange.ts'
import type { Channel } from './channel.ts'

/** Resolves with the queue's name, which the broker may have chosen. */
export async function declareQueue(channel: Channel, queue: Queue): Promise<string> {
  for (const { exchange } of queue.bindings) {
    if (exchange.name !== '') await channel.declareExchange(exchange)
  }
  const { name } = await channel.declareQueue(queue)
  for (const binding of bindingsOf({ ...queue, name })) await channel.bind(binding)
  return name
}

/** Declares an exchange or a queue with everything it needs. */
export async function declareEntity(channel: Channel, entity: Exchange | Queue): Promise<void> {
  if ('bindings' in entity) await declareQueue(channel, entity)
  else if (entity.name !== '') await channel.declareExchange(entity)
}
