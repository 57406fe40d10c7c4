/** One batch of publications → what the store keeps: which queues get each, and their texts. */
import type { Ambient } from '../kernel/ambient.ts'
import { asMessagingError, type MessagingError } from '../kernel/errors.ts'
import type { Queue } from '../topology/queue.ts'
import type { Publication, PublishFailures } from '../transport/channel.ts'
import { encodeEnvelope } from './envelope.ts'
import type { KnownQueues } from './known-queues.ts'
import { notSupported, type Capabilities } from '../transport/capabilities.ts'
import { unroutable } from './refusals.ts'
import { Router } from './routing.ts'
import type { MessageStore, Push } from './store.ts'

export interface PublishPlace {
  readonly name: string
  readonly capabilities: Capabilities
  readonly store: MessageStore
  readonly ambient: Ambient
  readonly queues: KnownQueues
  /** Tells when the first of these expires, where the store hands out what has. */
  expectDue(atMs: number): void
}

/** Bindings are read once for each exchange of the batch; the pushes leave as one. */
export async function publishBatch(
  { name, capabilities, store, ambient, queues: known, expectDue }: PublishPlace,
  batch: readonly Publication[],
): Promise<PublishFailures> {
  const pushes: Push[] = []
  /** Which publication a push belongs to. */
  const places: number[] = []
  const broadcasts: Promise<void>[] = []
  const router = new Router(store)
  const now = ambient.clock.now()
  let firstDueMs = Infinity
  let failures: Map<number, MessagingError> | undefined
  const fail = (i: number, error: MessagingError): void =>
    void (failures ??= new Map()).set(i, error)
  /** Headers that no JSON can carry are that message's fault, not of those it travels with. */
  const encode = (i: number, expiresAtMs?: number): string | undefined => {
    const { exchange, routingKey, message } = batch[i]!
    const { priority } = message.properties
    try {
      // Typed as one, but callers without types exist.
      if (priority !== undefined && typeof priority !== 'number')
        throw new TypeError(`the priority must be a number, found ${JSON.stringify(priority)}`)
      return encodeEnvelope(message, exchange, routingKey, ambient.nextId(), expiresAtMs)
    } catch (error) {
      fail(i, asMessagingError(error, 'MESSAGING_ENCODE_FAILED', 'message', 'the headers'))
      return undefined
    }
  }
  const push = (i: number, queue: string, declared: Queue | undefined): boolean => {
    const { message, keepExpired, delayUntilMs } = batch[i]!
    const dueAtMs = delayUntilMs !== undefined && delayUntilMs > now ? delayUntilMs : undefined
    const { expirationMs = Infinity, priority } = message.properties
    const ttl = declared?.arguments['x-message-ttl']
    const livesMs = Math.min(
      keepExpired ? Infinity : expirationMs,
      typeof ttl === 'number' ? ttl : Infinity,
    )
    const expiresAtMs = livesMs === Infinity ? undefined : now + livesMs
    if (expiresAtMs !== undefined && expiresAtMs < firstDueMs) firstDueMs = expiresAtMs
    // Its own tag for every copy: acknowledging one must not settle the other.
    const text = encode(i, expiresAtMs)
    if (text === undefined) return false
    places.push(i)
    if (dueAtMs !== undefined && dueAtMs < firstDueMs) firstDueMs = dueAtMs
    pushes.push({ queue, text, priority, expiresAtMs, ...(dueAtMs !== undefined && { dueAtMs }) })
    return true
  }
  for (let i = 0; i < batch.length; i++) {
    const { exchange, routingKey, message, mandatory, delayUntilMs } = batch[i]!
    if (delayUntilMs !== undefined && !capabilities.delayedPublish) {
      fail(i, notSupported(name, 'hold a published message until a time'))
      continue
    }
    if (exchange === '') {
      if (mandatory && !(await store.hasQueue(routingKey))) fail(i, unroutable('', routingKey))
      else {
        // Without a promise where nothing has to be asked: this is the path of every task.
        const declared = known.get(routingKey)
        push(i, routingKey, declared instanceof Promise ? await declared : declared)
      }
      continue
    }
    if (store.broadcast && (await router.route(exchange)).type === 'fanout') {
      const text = encode(i)
      if (text !== undefined) {
        const sent = store.broadcast.publish(exchange, routingKey, text)
        // Heard at the end, if nothing else fails before.
        sent.catch(() => undefined)
        broadcasts.push(sent)
      }
      continue
    }
    const queues = await router.queues(exchange, routingKey, message.headers)
    if (queues.length === 0 && mandatory) fail(i, unroutable(exchange, routingKey))
    for (const queue of queues) if (!push(i, queue, await known.get(queue))) break
  }
  if (pushes.length > 0) {
    const refused = await store.push(pushes)
    for (const [at, error] of refused ?? []) fail(places[at]!, error)
    if (firstDueMs !== Infinity) expectDue(firstDueMs)
  }
  if (broadcasts.length > 0) await Promise.all(broadcasts)
  return failures
}
