/**
 * A Channel made of a MessageStore: exchanges and bindings on the way in, a pump, a window and
 * acknowledgements on the way out.
 */
import type { Ambient } from '../kernel/ambient.ts'
import { asMessagingError, MessagingError } from '../kernel/errors.ts'
import type { TurnBatch } from '../kernel/turn-batch.ts'
import { Delivery, type Outcome } from '../message/delivery.ts'
import type { Binding } from '../topology/binding.ts'
import type { Exchange } from '../topology/exchange.ts'
import type { Queue } from '../topology/queue.ts'
import { notSupported, type Capabilities } from '../transport/capabilities.ts'
import type {
  Channel,
  ConsumeOptions,
  OnDeliveries,
  Publication,
  PublishFailures,
  QueueStatus,
} from '../transport/channel.ts'
import { decodeEnvelope } from './envelope.ts'
import { publishBatch } from './publishing.ts'
import { Pump } from './pump.ts'
import { Reservations } from './reservations.ts'
import { notGivenBack, queueNotFound, refuseArguments, refused } from './refusals.ts'
import { parkedFor, type MessageStore, type Settlement, type Taken } from './store.ts'

interface Consumer {
  readonly tag: string
  readonly queue: string
  readonly noAck: boolean
  readonly onDeliveries: OnDeliveries
  /** Ends the publish/subscribe side of a queue bound to a fanout. */
  unsubscribe: (() => Promise<void>)[]
}

/** What the channels of one session share. */
export interface VirtualSession {
  readonly name: string
  readonly capabilities: Capabilities
  readonly store: MessageStore
  readonly ambient: Ambient
  /** Settlements of all channels leave together. */
  readonly settlements: TurnBatch<Settlement, void>
  /** Queues bound to broadcast exchanges: queue → its bindings. Written by bind, read by consume. */
  readonly broadcastBindings: Map<string, Binding[]>
  /** A consumer's queue and tag, for counting consumers and exclusive use. */
  readonly consumers: Map<string, Set<string>>
  /** Tells the session that a message was due later, so that it looks in time. */
  expectDue(atMs: number): void
}

const notHeld = Promise.resolve()

export class VirtualChannel implements Channel {
  readonly closed: Promise<MessagingError | undefined>
  readonly #session: VirtualSession
  readonly #store: MessageStore
  readonly #consumers = new Map<string, Consumer>()
  readonly #reservations = new Reservations()
  readonly #pump: Pump
  #closing: Promise<void> | undefined
  #resolveClosed!: (reason: MessagingError | undefined) => void

  constructor(session: VirtualSession) {
    this.#session = session
    this.#store = session.store
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#pump = new Pump(
      this.#store,
      () => this.#reservations.room,
      (taken) => this.#dispatch(taken),
      (error) =>
        this.fail(asMessagingError(error, 'MESSAGING_STORE_FAILED', 'connection', 'fetch')),
    )
    this.#reservations.onRoom(() => this.#pump.roomAgain())
  }

  get isOpen(): boolean {
    return this.#closing === undefined
  }

  /** Nothing more is delivered, everything held is the broker's again. */
  fail(reason: MessagingError): void {
    if (this.#closing) return
    if (reason.fault === 'connection') {
      this.#closing = this.#pump.stop()
      // The link is gone, and the lease with it.
      this.#reservations.drain()
      this.#resolveClosed(reason)
    } else this.#closing = this.#close(reason)
  }

  async declareExchange(exchange: Exchange, options?: { passive?: boolean }): Promise<void> {
    this.#check()
    if (options?.passive) {
      if (exchange.name === '' || (await this.#store.findExchange(exchange.name))) return
      throw new MessagingError(
        'MESSAGING_DECLARATION_REFUSED',
        'channel',
        `no exchange '${exchange.name}' here`,
      )
    }
    const { exchangeTypes } = this.#session.capabilities
    if (!exchangeTypes.includes(exchange.type)) {
      throw notSupported(this.#session.name, `declare an exchange of type '${exchange.type}'`)
    }
    const before = await this.#store.findExchange(exchange.name)
    if (before && before.type !== exchange.type) {
      throw new MessagingError(
        'MESSAGING_DECLARATION_REFUSED',
        'channel',
        `exchange '${exchange.name}' is of type '${before.type}', not '${exchange.type}'; remove it first or declare it as it is`,
      )
    }
    await this.#store.declareExchange(exchange)
  }

  async removeExchange(name: string): Promise<void> {
    this.#check()
    await this.#store.removeExchange(name)
  }

  async declareQueue(queue: Queue, options?: { passive?: boolean }): Promise<QueueStatus> {
    this.#check()
    const name = queue.name === '' ? `amq.gen-${this.#session.ambient.nextId()}` : queue.name
    if (options?.passive) {
      if (!(await this.#store.hasQueue(name))) throw queueNotFound(name)
    } else {
      refuseArguments(this.#session.name, queue)
      await this.#store.declareQueue({ ...queue, name })
    }
    return {
      name,
      messages: await this.#store.count(name),
      consumers: this.#session.consumers.get(name)?.size ?? 0,
    }
  }

  async removeQueue(
    name: string,
    options: { ifUnused?: boolean; ifEmpty?: boolean } = {},
  ): Promise<number> {
    this.#check()
    if (options.ifUnused && (this.#session.consumers.get(name)?.size ?? 0) > 0) {
      throw refused(`queue '${name}' has consumers`)
    }
    if (options.ifEmpty && (await this.#store.count(name)) > 0) {
      throw refused(`queue '${name}' is not empty`)
    }
    this.#session.broadcastBindings.delete(name)
    return await this.#store.removeQueue(name)
  }

  async bind(binding: Binding): Promise<void> {
    this.#check()
    const exchange = await this.#store.findExchange(binding.exchange)
    await this.#store.bind(binding, exchange)
    if (exchange?.type === 'fanout' && this.#store.broadcast) {
      const bindings = this.#session.broadcastBindings.get(binding.queue) ?? []
      // Declared again, by whoever: still one subscription, or messages would come twice.
      if (
        !bindings.some((b) => b.exchange === exchange.name && b.routingKey === binding.routingKey)
      )
        this.#session.broadcastBindings.set(binding.queue, [...bindings, binding])
    }
  }

  async unbind(binding: Binding): Promise<void> {
    this.#check()
    await this.#store.unbind(binding, await this.#store.findExchange(binding.exchange))
    const left = this.#session.broadcastBindings
      .get(binding.queue)
      ?.filter((b) => b.exchange !== binding.exchange || b.routingKey !== binding.routingKey)
    if (left?.length === 0) this.#session.broadcastBindings.delete(binding.queue)
    else if (left) this.#session.broadcastBindings.set(binding.queue, left)
  }

  async purge(queue: string): Promise<number> {
    this.#check()
    return await this.#store.purge(queue)
  }

  async publish(batch: readonly Publication[]): Promise<PublishFailures> {
    this.#check()
    return await publishBatch(this.#store, batch, this.#session.ambient.nextId)
  }

  async get(queue: string, options?: { noAck?: boolean }): Promise<Delivery | undefined> {
    this.#check()
    for (;;) {
      const [taken] = await this.#store.take([queue], 1)
      if (!taken) return undefined
      // Closed while the claim was under way.
      if (!this.isOpen) await this.#session.settlements.add({ taken, outcome: 'restore' }).done
      this.#check()
      const delivery = this.#deliver(taken, '', options?.noAck ?? false)
      if (delivery) return delivery
    }
  }

  async consume(queue: string, options: ConsumeOptions, onDeliveries: OnDeliveries): Promise<void> {
    this.#check()
    const { tag, noAck = false } = options
    if (this.#consumers.has(tag)) throw refused(`consumer tag '${tag}' is in use on this channel`)
    const users = this.#session.consumers.get(queue) ?? new Set()
    if (options.exclusive && users.size > 0) {
      throw refused(`queue '${queue}' has a consumer already, exclusive use is not possible`)
    }
    const consumer: Consumer = { tag, queue, noAck, onDeliveries, unsubscribe: [] }
    this.#consumers.set(tag, consumer)
    this.#session.consumers.set(queue, users.add(tag))
    for (const binding of this.#session.broadcastBindings.get(queue) ?? []) {
      consumer.unsubscribe.push(
        await this.#store.broadcast!.subscribe(binding.exchange, binding.routingKey, (text) =>
          this.#onBroadcast(consumer, text),
        ),
      )
    }
    this.#refreshPump()
  }

  async cancel(tag: string): Promise<void> {
    const consumer = this.#consumers.get(tag)
    if (!consumer) return
    this.#consumers.delete(tag)
    this.#forgetConsumer(consumer)
    this.#refreshPump()
    await Promise.all(consumer.unsubscribe.map((end) => end()))
  }

  prefetch(count: number): Promise<void> {
    this.#reservations.setLimit(count)
    return notHeld
  }

  readonly settle = (delivery: Delivery, outcome: Outcome): Promise<void> => {
    const taken = delivery.origin.receipt as Taken
    if (!this.#reservations.remove(taken)) return notHeld
    if (typeof outcome === 'object') {
      if (!this.#session.capabilities.delay) {
        this.#reservations.add(taken)
        return Promise.reject(notSupported(this.#session.name, 'hold a message until a time'))
      }
      this.#session.expectDue(outcome.delayUntilMs)
    }
    return this.#session.settlements.add({
      taken,
      outcome: outcome === 'ack' || outcome === 'drop' ? 'remove' : outcome,
    }).done
  }

  async recover(): Promise<void> {
    await this.#giveBack()
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(reason?: MessagingError): Promise<void> {
    const consumers = [...this.#consumers.values()]
    this.#consumers.clear()
    for (const consumer of consumers) this.#forgetConsumer(consumer)
    try {
      await Promise.all(consumers.flatMap(({ unsubscribe }) => unsubscribe.map((end) => end())))
      await this.#pump.stop()
      await this.#giveBack()
      this.#resolveClosed(reason)
    } catch (error) {
      // What was held goes back with the session then: as long as that lives, nobody else gets it.
      this.#resolveClosed(notGivenBack(error))
    }
  }

  async #giveBack(): Promise<void> {
    // Last first: each goes to the front of its queue, so the oldest ends up next in line.
    const held = this.#reservations.drain().reverse()
    await Promise.all(
      held.map((taken) => this.#session.settlements.add({ taken, outcome: 'restore' }).done),
    )
    this.#pump.roomAgain()
  }

  #forgetConsumer(consumer: Consumer): void {
    const users = this.#session.consumers.get(consumer.queue)
    users?.delete(consumer.tag)
    if (users?.size === 0) this.#session.consumers.delete(consumer.queue)
  }

  #refreshPump(): void {
    const queues = new Set<string>()
    for (const { queue } of this.#consumers.values()) {
      if (!this.#session.broadcastBindings.has(queue)) queues.add(queue)
    }
    this.#pump.setQueues([...queues])
  }

  #dispatch(taken: Taken[]): void {
    const batches = new Map<Consumer, Delivery[]>()
    for (const one of taken) {
      const consumer = this.#consumerOf(one.queue)
      if (!consumer || !this.isOpen) {
        // Cancelled while the claim was under way.
        void this.#session.settlements.add({ taken: one, outcome: 'restore' }).done.catch(() => 0)
        continue
      }
      const delivery = this.#deliver(one, consumer.tag, consumer.noAck)
      if (!delivery) continue
      const batch = batches.get(consumer)
      if (batch) batch.push(delivery)
      else batches.set(consumer, [delivery])
    }
    for (const [consumer, deliveries] of batches) consumer.onDeliveries(deliveries)
  }

  /** Consumers of the same queue on one channel take turns. */
  #consumerOf(queue: string): Consumer | undefined {
    for (const [tag, consumer] of this.#consumers) {
      if (consumer.queue !== queue) continue
      if (this.#consumers.size > 1) {
        this.#consumers.delete(tag)
        this.#consumers.set(tag, consumer)
      }
      return consumer
    }
    return undefined
  }

  #deliver(taken: Taken, consumerTag: string, noAck: boolean): Delivery | undefined {
    try {
      const envelope = decodeEnvelope(taken.text)
      const attempts = Math.max(envelope.attempts, taken.attempts ?? 0)
      if (noAck) {
        void this.#session.settlements.add({ taken, outcome: 'remove' }).done.catch(() => 0)
      } else this.#reservations.add(taken)
      return new Delivery(
        envelope.message,
        {
          receipt: taken,
          consumerTag,
          queue: taken.queue,
          exchange: envelope.exchange,
          routingKey: envelope.routingKey,
          redelivered: envelope.redelivered || attempts > 0,
          attempts,
        },
        this.settle,
        noAck,
      )
    } catch (error) {
      this.#park(taken, error)
      return undefined
    }
  }

  /** A text that is no message must neither stop the queue nor vanish. */
  #park(taken: Taken, error: unknown): void {
    const parkedIn = parkedFor(taken.queue)
    this.#session.ambient.log.warn('a message that cannot be read was parked', {
      queue: taken.queue,
      parkedIn,
      reason: error instanceof Error ? error.message : String(error),
    })
    this.#store
      .push([{ queue: parkedIn, text: taken.text, priority: 0 }])
      .then(() => this.#session.settlements.add({ taken, outcome: 'remove' }).done)
      .catch((failure: unknown) =>
        this.fail(asMessagingError(failure, 'MESSAGING_STORE_FAILED', 'connection', 'park')),
      )
  }

  #onBroadcast(consumer: Consumer, text: string): void {
    if (!this.#consumers.has(consumer.tag)) return
    try {
      const { message, exchange, routingKey } = decodeEnvelope(text)
      const origin = {
        receipt: undefined,
        consumerTag: consumer.tag,
        queue: consumer.queue,
        exchange,
        routingKey,
        redelivered: false,
        attempts: 0,
      }
      consumer.onDeliveries([new Delivery(message, origin, () => notHeld, consumer.noAck)])
    } catch (error) {
      this.#session.ambient.log.warn('a broadcast that cannot be read was ignored', {
        queue: consumer.queue,
        reason: error instanceof Error ? error.message : String(error),
      })
    }
  }

  #check(): void {
    if (this.#closing === undefined) return
    throw new MessagingError('MESSAGING_CHANNEL_CLOSED', 'channel', 'this channel is closed')
  }
}
