/**
 * A Channel made of a MessageStore: exchanges and bindings on the way in, a pump, a window and
 * acknowledgements on the way out.
 */
import { asMessagingError, MessagingError } from '../kernel/errors.ts'
import { Delivery, type Outcome } from '../message/delivery.ts'
import type { Binding, ExchangeBinding } from '../topology/binding.ts'
import type { Exchange } from '../topology/exchange.ts'
import type { Queue } from '../topology/queue.ts'
import { notSupported } from '../transport/capabilities.ts'
import type {
  Channel,
  ConsumeOptions,
  OnDeliveries,
  Publication,
  PublishFailures,
  QueueStatus,
} from '../transport/channel.ts'
import { Declarations } from './declarations.ts'
import { Pump } from './pump.ts'
import { Reservations } from './reservations.ts'
import { notGivenBack, refuseConsumerArguments, refused } from './refusals.ts'
import type { VirtualSession } from './session.ts'
import type { MessageStore, Taken } from './store.ts'

interface Consumer {
  readonly tag: string
  readonly queue: string
  readonly noAck: boolean
  readonly onDeliveries: OnDeliveries
  /** Ends the publish/subscribe side of a queue bound to a fanout. */
  unsubscribe: (() => Promise<void>)[]
}

const notHeld = Promise.resolve()

export class VirtualChannel implements Channel {
  readonly closed: Promise<MessagingError | undefined>
  readonly #session: VirtualSession
  readonly #store: MessageStore
  readonly #declarations: Declarations
  readonly #consumers = new Map<string, Consumer>()
  readonly #reservations = new Reservations()
  readonly #pump: Pump
  /** The link is gone: what is out may still be settled, through the session that follows. */
  #isLost = false
  #closing: Promise<void> | undefined
  #resolveClosed!: (reason: MessagingError | undefined) => void

  constructor(session: VirtualSession) {
    this.#session = session
    this.#store = session.store
    this.#declarations = new Declarations(session)
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#pump = new Pump(
      this.#store,
      () => this.#reservations.room,
      (taken) => this.#dispatch(taken),
      (error) => this.#onFault(error, 'fetch'),
    )
    this.#reservations.onRoom(() => this.#pump.roomAgain())
  }

  get isOpen(): boolean {
    return this.#closing === undefined
  }

  /** What is handed out and not settled. */
  get held(): Iterable<Taken> {
    return this.#reservations
  }

  /** Nothing more is delivered; what is held is the session's, or given back. */
  fail(reason: MessagingError): void {
    if (this.#closing) return
    if (reason.fault === 'connection') {
      this.#isLost = true
      this.#closing = this.#pump.stop()
      // Before anybody can settle what this channel holds.
      this.#session.lost(reason)
      this.#resolveClosed(reason)
    } else this.#closing = this.#close(reason)
  }

  async declareExchange(exchange: Exchange, options?: { passive?: boolean }): Promise<void> {
    this.#check()
    await this.#declarations.declareExchange(exchange, options)
  }

  async removeExchange(name: string, options?: { ifUnused?: boolean }): Promise<void> {
    this.#check()
    await this.#declarations.removeExchange(name, options)
  }

  async declareQueue(queue: Queue, options?: { passive?: boolean }): Promise<QueueStatus> {
    this.#check()
    return await this.#declarations.declareQueue(queue, options)
  }

  async removeQueue(
    name: string,
    options?: { ifUnused?: boolean; ifEmpty?: boolean },
  ): Promise<number> {
    this.#check()
    return await this.#declarations.removeQueue(name, options)
  }

  async bind(binding: Binding): Promise<void> {
    this.#check()
    await this.#declarations.bind(binding)
  }

  async unbind(binding: Binding): Promise<void> {
    this.#check()
    await this.#declarations.unbind(binding)
  }

  async bindExchange(binding: ExchangeBinding): Promise<void> {
    this.#check()
    await this.#declarations.bindExchange(binding)
  }

  async unbindExchange(binding: ExchangeBinding): Promise<void> {
    this.#check()
    await this.#declarations.unbindExchange(binding)
  }

  async purge(queue: string): Promise<number> {
    this.#check()
    return await this.#store.purge(queue)
  }

  async publish(batch: readonly Publication[]): Promise<PublishFailures> {
    this.#check()
    return await this.#session.publish(batch)
  }

  async get(queue: string, options?: { noAck?: boolean }): Promise<Delivery | undefined> {
    this.#check()
    for (;;) {
      const [taken] = await this.#store.take([queue], 1)
      if (!taken) return undefined
      // Closed while the claim was under way.
      if (!this.isOpen) await this.#session.settle(taken, 'restore')
      this.#check()
      const delivery = this.#deliver(taken, '', options?.noAck ?? false)
      if (delivery) return delivery
    }
  }

  async consume(queue: string, options: ConsumeOptions, onDeliveries: OnDeliveries): Promise<void> {
    this.#check()
    const { tag, noAck = false } = options
    refuseConsumerArguments(this.#session.name, this.#session.capabilities, options)
    if (this.#consumers.has(tag)) throw refused(`consumer tag '${tag}' is in use on this channel`)
    const users = this.#session.consumers.get(queue) ?? new Set()
    if (this.#session.exclusive.has(queue))
      throw refused(`queue '${queue}' has a consumer that wants it for itself`)
    if (options.exclusive && users.size > 0) {
      throw refused(`queue '${queue}' has a consumer already, exclusive use is not possible`)
    }
    const consumer: Consumer = { tag, queue, noAck, onDeliveries, unsubscribe: [] }
    // At once: others may begin, cancel or close while the store is asked.
    this.#consumers.set(tag, consumer)
    this.#session.consumers.set(queue, users.add(tag))
    if (options.exclusive) this.#session.exclusive.add(queue)
    let joined = false
    try {
      await this.#store.join?.(queue)
      joined = true
      for (const { exchange, routingKey } of this.#session.broadcastBindings.get(queue) ?? []) {
        const end = await this.#store.broadcast!.subscribe(exchange, routingKey, (text) =>
          this.#onBroadcast(consumer, text),
        )
        if (this.#consumers.has(tag)) consumer.unsubscribe.push(end)
        else await end()
      }
    } catch (error) {
      if (joined) await this.cancel(tag).catch(() => undefined)
      else if (this.#consumers.delete(tag)) this.#forgetConsumer(consumer)
      throw error
    }
    this.#check()
    this.#refreshPump()
  }

  async cancel(tag: string): Promise<void> {
    const consumer = this.#consumers.get(tag)
    if (!consumer) return
    this.#consumers.delete(tag)
    this.#forgetConsumer(consumer)
    this.#refreshPump()
    await Promise.all(consumer.unsubscribe.map((end) => end()))
    await this.#store.leave?.(consumer.queue)
  }

  prefetch(count: number): Promise<void> {
    this.#reservations.setLimit(count)
    return notHeld
  }

  readonly settle = (delivery: Delivery, outcome: Outcome): Promise<void> => {
    const taken = delivery.origin.receipt as Taken
    if (typeof outcome === 'object' && !this.#session.capabilities.delay)
      return Promise.reject(notSupported(this.#session.name, 'hold a message until a time'))
    if (!this.#reservations.remove(taken)) return notHeld
    if (this.#isLost) return this.#session.settleOrphan(taken, outcome)
    return this.#session.settle(taken, outcome)
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
      for (const { queue } of consumers) await this.#store.leave?.(queue)
      this.#resolveClosed(reason)
    } catch (error) {
      // What was held goes back with the session then: as long as that lives, nobody else gets it.
      this.#resolveClosed(notGivenBack(error))
    }
  }

  async #giveBack(): Promise<void> {
    // Last first: each goes to the front of its queue, so the oldest ends up next in line.
    const held = this.#reservations.drain().reverse()
    await Promise.all(held.map((taken) => this.#session.settle(taken, 'restore')))
    this.#pump.roomAgain()
  }

  #forgetConsumer(consumer: Consumer): void {
    const users = this.#session.consumers.get(consumer.queue)
    users?.delete(consumer.tag)
    if (users?.size !== 0) return
    this.#session.consumers.delete(consumer.queue)
    this.#session.exclusive.delete(consumer.queue)
  }

  #refreshPump(): void {
    // Those with a subscription as well: another exchange, or a publish by name, may fill them.
    this.#pump.setQueues([...new Set([...this.#consumers.values()].map(({ queue }) => queue))])
  }

  #dispatch(taken: Taken[]): void {
    const batches = new Map<Consumer, Delivery[]>()
    for (const one of taken) {
      const consumer = this.#consumerOf(one.queue)
      if (!consumer || !this.isOpen) {
        // Cancelled while the claim was under way.
        void this.#session.settle(one, 'restore').catch(() => 0)
        continue
      }
      const delivery = this.#deliver(one, consumer.tag, consumer.noAck)
      if (!delivery) continue
      const batch = batches.get(consumer)
      if (batch) batch.push(delivery)
      else batches.set(consumer, [delivery])
    }
    for (const [consumer, deliveries] of batches) {
      try {
        consumer.onDeliveries(deliveries)
      } catch (cause) {
        const text = 'the receiver of deliveries failed'
        this.fail(new MessagingError('MESSAGING_CHANNEL_CLOSED', 'channel', text, { cause }))
      }
    }
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
      const envelope = this.#session.read(taken.text)
      if (
        envelope.expiresAtMs !== undefined &&
        envelope.expiresAtMs <= this.#session.ambient.clock.now()
      ) {
        this.#session
          .bury(taken, 'expired')
          .catch((error: unknown) => this.#onFault(error, 'expire'))
        return undefined
      }
      const attempts = Math.max(envelope.attempts, taken.attempts ?? 0)
      if (noAck) {
        void this.#session.settle(taken, 'ack').catch(() => 0)
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
      this.#session.park(taken, error).catch((failure: unknown) => this.#onFault(failure, 'park'))
      return undefined
    }
  }

  #onBroadcast(consumer: Consumer, text: string): void {
    if (!this.#consumers.has(consumer.tag)) return
    try {
      const { message, exchange, routingKey } = this.#session.read(text)
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

  #onFault(error: unknown, what: string): void {
    this.fail(asMessagingError(error, 'MESSAGING_STORE_FAILED', 'connection', what))
  }

  #check(): void {
    if (this.#closing === undefined) return
    throw new MessagingError('MESSAGING_CHANNEL_CLOSED', 'channel', 'this channel is closed')
  }
}
