/** One batch of publications → what the store keeps: which queues get each, and their texts. */
import { asMessagingError, type MessagingError } from '../kernel/errors.ts'
import type { Binding } from '../topology/binding.ts'
import { exchange as makeExchange, type Exchange } from '../topology/exchange.ts'
import type { Publication, PublishFailures } from '../transport/channel.ts'
import { encodeEnvelope } from './envelope.ts'
import { unroutable } from './refusals.ts'
import { route } from './routing.ts'
import type { MessageStore, Push } from './store.ts'

interface Route {
  readonly type: Exchange['type']
  readonly bindings: readonly Binding[]
}

/** Bindings are read once for each exchange of the batch; the pushes leave as one. */
export async function publishBatch(
  store: MessageStore,
  batch: readonly Publication[],
  nextId: () => string,
): Promise<PublishFailures> {
  const pushes: Push[] = []
  const broadcasts: Promise<void>[] = []
  const routes = new Map<string, Promise<Route>>()
  let failures: Map<number, MessagingError> | undefined
  /** Headers that no JSON can carry are that message's fault, not of those it travels with. */
  const encode = (i: number): string | undefined => {
    const { exchange, routingKey, message } = batch[i]!
    try {
      return encodeEnvelope(message, exchange, routingKey, nextId())
    } catch (error) {
      const refusal = asMessagingError(error, 'MESSAGING_ENCODE_FAILED', 'message', 'the headers')
      ;(failures ??= new Map()).set(i, refusal)
      return undefined
    }
  }
  for (let i = 0; i < batch.length; i++) {
    const { exchange, routingKey, message, mandatory } = batch[i]!
    const { priority } = message.properties
    if (exchange === '') {
      if (mandatory && !(await store.hasQueue(routingKey))) {
        ;(failures ??= new Map()).set(i, unroutable(exchange, routingKey))
        continue
      }
      const text = encode(i)
      if (text !== undefined) pushes.push({ queue: routingKey, text, priority })
      continue
    }
    let known = routes.get(exchange)
    if (!known) routes.set(exchange, (known = readRoute(store, exchange)))
    const { type, bindings } = await known
    if (type === 'fanout' && store.broadcast) {
      const text = encode(i)
      if (text !== undefined) broadcasts.push(store.broadcast.publish(exchange, routingKey, text))
      continue
    }
    const queues = route(type, bindings, routingKey, message.headers)
    if (queues.length === 0 && mandatory) {
      ;(failures ??= new Map()).set(i, unroutable(exchange, routingKey))
    }
    for (const queue of queues) {
      // Its own tag for every copy: acknowledging one must not settle the other.
      const text = encode(i)
      if (text === undefined) break
      pushes.push({ queue, text, priority })
    }
  }
  if (pushes.length > 0) await store.push(pushes)
  if (broadcasts.length > 0) await Promise.all(broadcasts)
  return failures
}

async function readRoute(store: MessageStore, name: string): Promise<Route> {
  const [exchange, bindings] = await Promise.all([
    store.findExchange(name),
    store.readBindings(name),
  ])
  return { type: (exchange ?? makeExchange(name)).type, bindings }
}
