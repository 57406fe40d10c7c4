/** Sends declarations through a channel, in order: what an entity comes from, then it, then its bindings. */
import { bindingsOf, type Queue } from '../topology/queue.ts'
import type { Exchange } from '../topology/exchange.ts'
import type { Channel } from './channel.ts'

/** Resolves with the queue's name, which the broker may have chosen. */
export async function declareQueue(channel: Channel, queue: Queue): Promise<string> {
  if (queue.noDeclare) return queue.name
  for (const { exchange } of queue.bindings) await declareExchange(channel, exchange)
  const { name } = await channel.declareQueue(queue, queue.passive ? { passive: true } : {})
  for (const binding of bindingsOf({ ...queue, name })) await channel.bind(binding)
  return name
}

/** An exchange after those it is bound to. Kombu: the broker's own (`amq.…`) are never declared. */
export async function declareExchange(channel: Channel, exchange: Exchange): Promise<void> {
  const { name, bindings, passive, noDeclare } = exchange
  for (const { exchange: source } of bindings) await declareExchange(channel, source)
  if (name === '' || noDeclare) return
  if (!name.startsWith('amq.')) await channel.declareExchange(exchange, passive ? { passive } : {})
  for (const { exchange: source, routingKey, arguments: args } of bindings)
    await channel.bindExchange({ exchange: source.name, to: name, routingKey, arguments: args })
}

/** Declares an exchange or a queue with everything it needs. */
export async function declareEntity(channel: Channel, entity: Exchange | Queue): Promise<void> {
  if ('exclusive' in entity) await declareQueue(channel, entity)
  else await declareExchange(channel, entity)
}
