/** Queues of which every worker has its own: each message reaches all of them, through a fanout exchange. */
import { exchange, broadcast as ownQueue, type Exchange, type Queue } from '@celeriac/messaging'

/** A worker's own queue, named after nobody; users name it by its alias. */
export interface BroadcastQueue extends Queue {
  readonly alias: string
  readonly broadcastExchange: Exchange
}

/**
 * This process's queue of the broadcast `name`. `id` makes its own name, `bcast.<id>`; it goes when its
 * worker goes. Senders never declare it: they publish to the exchange.
 */
export function broadcast(name: string, id: string, routingKey: string): BroadcastQueue {
  const fanout = exchange(name, { type: 'fanout' })
  return {
    ...ownQueue(name, id, { bindings: [{ exchange: fanout, routingKey }] }),
    alias: name,
    broadcastExchange: fanout,
  }
}

export function isBroadcast(one: Queue): one is BroadcastQueue {
  return 'broadcastExchange' in one
}
