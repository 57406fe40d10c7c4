/** A queue of one's own for messages that everyone gets. Kombu: `common.Broadcast`. */
import { exchange } from './exchange.ts'
import { queue, type Queue, type QueueOptions } from './queue.ts'

/**
 * This consumer's queue of the broadcast `name`: a fanout exchange of that name, and a queue that goes with
 * its consumer. `id` makes the queue's own name, `bcast.<id>`; each consumer needs another one.
 */
export function broadcast(name: string, id: string, options: QueueOptions = {}): Queue {
  return queue(`bcast.${id}`, {
    autoDelete: true,
    bindings: [{ exchange: exchange(name, { type: 'fanout' }) }],
    ...options,
  })
}
