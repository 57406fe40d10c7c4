/**
 * A queue with the manners of a local one: put, get, and no word of exchanges. Kombu: `kombu.simple`. Each
 * has a producer and, from the first waiting `get` on, a consumer of its own.
 */
import { Consumer } from '../consumer/consumer.ts'
import { MessagingError } from '../kernel/errors.ts'
import type { Delivery } from '../message/delivery.ts'
import type { PublishOptions } from '../producer/options.ts'
import { Producer } from '../producer/producer.ts'
import { exchange, type ExchangeOptions } from '../topology/exchange.ts'
import { queue as makeQueue, type Queue, type QueueOptions } from '../topology/queue.ts'
import type { Channel } from '../transport/channel.ts'
import { declareQueue } from '../transport/declare.ts'
import type { Link } from '../transport/link.ts'

export interface SimpleQueueOptions {
  /** The broker forgets a message as it hands it out. Default: false for a queue, true for a buffer. */
  readonly noAck?: boolean
  /** Of the queue that is made for a name. */
  readonly queue?: QueueOptions
  /** Of the exchange that is made for a name; of the same name, and direct. */
  readonly exchange?: ExchangeOptions
  readonly serializer?: string
  readonly compression?: string
  /** Content that may be decoded; default the connection's. */
  readonly accept?: readonly string[]
  /** Messages fetched ahead by a waiting `get`; default 1, so that others get their share. */
  readonly prefetch?: number
}

export interface GetOptions {
  /** Seconds to wait for a message; default for ever. */
  readonly timeout?: number
  /** Ends the waiting: rejects with its reason. */
  readonly signal?: AbortSignal
}

interface Waiter {
  readonly resolve: (delivery: Delivery) => void
  readonly reject: (error: unknown) => void
}

export class SimpleQueue {
  readonly queue: Queue
  readonly #link: Link
  readonly #options: SimpleQueueOptions
  readonly #producer: Producer
  readonly #disown: () => void
  readonly #buffer: Delivery[] = []
  readonly #waiters = new Set<Waiter>()
  #consumer: Consumer | undefined
  #declared: Promise<void> | undefined
  #getting: Promise<Channel> | undefined
  #closing: Promise<void> | undefined

  constructor(link: Link, name: string | Queue, options: SimpleQueueOptions = {}) {
    this.#link = link
    this.#options = options
    this.queue = typeof name === 'string' ? queueNamed(name, options) : name
    const [binding] = this.queue.bindings
    const { serializer, compression } = options
    this.#producer = new Producer(link, {
      ...(binding ? { exchange: binding.exchange } : {}),
      routingKey: binding?.routingKey ?? this.queue.name,
      ...(serializer !== undefined && { serializer }),
      ...(compression !== undefined && { compression }),
    })
    this.#disown = link.own({ stop: () => this.close() })
  }

  get name(): string {
    return this.queue.name
  }

  /** Adds a value; resolves when the broker has it. Rejects as `Producer.publish` does. */
  async put(value: unknown, options: PublishOptions = {}): Promise<void> {
    this.#check()
    await this.#producer.publish(value, { declare: [this.queue], ...options })
  }

  /**
   * The next message, which is to be acknowledged unless the queue is `noAck`. Rejects with
   * `MESSAGING_QUEUE_EMPTY` when none came in time.
   */
  async get({ timeout, signal }: GetOptions = {}): Promise<Delivery> {
    this.#check()
    signal?.throwIfAborted()
    const waiting = this.#buffer.shift()
    if (waiting) return waiting
    let waiter!: Waiter
    const coming = new Promise<Delivery>((resolve, reject) => (waiter = { resolve, reject }))
    this.#waiters.add(waiter)
    const giveUp = (error: unknown): void => {
      // At once: what arrives in the same turn is for the next one.
      this.#waiters.delete(waiter)
      waiter.reject(error)
    }
    const abort = (): void => giveUp(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    const cancel =
      timeout === undefined
        ? undefined
        : this.#link.ambient.clock.after(timeout * 1000, () => giveUp(this.#empty(timeout)))
    this.#consume().catch(giveUp)
    try {
      return await coming
    } finally {
      this.#waiters.delete(waiter)
      signal?.removeEventListener('abort', abort)
      cancel?.()
    }
  }

  /** The next message if there is one now; rejects with `MESSAGING_QUEUE_EMPTY` otherwise. */
  async getNow(): Promise<Delivery> {
    this.#check()
    const waiting = this.#buffer.shift()
    if (waiting) return waiting
    await this.#declare()
    const { noAck = false, accept } = this.#options
    const codec = accept ? this.#link.codec.accepting(accept) : this.#link.codec
    const delivery = await (await this.#channel()).get(this.queue.name, { noAck })
    if (!delivery) throw this.#empty(0)
    await codec.prepareFor(delivery.message)?.catch(() => undefined)
    return delivery.useDecoder((message) => codec.decode(message))
  }

  /** Messages that wait at the broker; those fetched ahead are not among them. */
  async size(): Promise<number> {
    return await this.#withChannel(
      async (channel) => (await channel.declareQueue(this.queue, { passive: true })).messages,
    )
  }

  /** Removes what waits; resolves with the number of messages. */
  async clear(): Promise<number> {
    return await this.#withChannel((channel) => channel.purge(this.queue.name))
  }

  /** What was fetched ahead and not given to anybody goes back. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#disown()
    for (const waiter of this.#waiters) waiter.reject(closed(this.name))
    await this.#consumer?.stop()
    await this.#getting?.then((channel) => channel.close()).catch(() => undefined)
    await this.#producer.close()
  }

  #check(): void {
    if (this.#closing) throw closed(this.name)
  }

  #empty(seconds: number): MessagingError {
    return new MessagingError(
      'MESSAGING_QUEUE_EMPTY',
      'message',
      seconds === 0
        ? `queue '${this.name}' is empty`
        : `no message came to queue '${this.name}' within ${seconds} s`,
    )
  }

  /** Rejects when the broker refuses; while there is no link it goes on trying. */
  async #consume(): Promise<void> {
    const { noAck, accept, prefetch = 1 } = this.#options
    if (!this.#consumer) {
      this.#consumer = new Consumer(this.#link, {
        queues: [this.queue],
        prefetch,
        ...(noAck !== undefined && { noAck }),
        ...(accept && { accept }),
        onDeliveries: (deliveries) => this.#receive(deliveries),
      })
      this.#consumer.signals.on('interrupted', () => this.#forget())
    }
    const consumer = this.#consumer
    try {
      await consumer.start()
    } catch (error) {
      if (this.#consumer === consumer) this.#consumer = undefined
      throw error
    }
  }

  #receive(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      const [waiter] = this.#waiters
      if (waiter) {
        this.#waiters.delete(waiter)
        waiter.resolve(delivery)
      } else this.#buffer.push(delivery)
    }
  }

  /** What waits here belongs to a lost channel: the broker has it again or is told to. */
  #forget(): void {
    for (const delivery of this.#buffer.splice(0)) {
      if (delivery.isSettled) this.#buffer.push(delivery)
      else delivery.settle('restore').catch(() => undefined)
    }
  }

  #declare(): Promise<void> {
    this.#declared ??= this.#withChannel((channel) => declareQueue(channel, this.queue)).then(
      () => undefined,
      (error: unknown) => {
        this.#declared = undefined
        throw error
      },
    )
    return this.#declared
  }

  /** The channel of `getNow`: what it hands out is settled on it. */
  async #channel(): Promise<Channel> {
    const current = this.#getting
    const channel = await current?.catch(() => undefined)
    if (channel?.isOpen) return channel
    this.#check()
    // One for all who ask meanwhile: what another one handed out nobody would give back.
    if (this.#getting === current || !this.#getting) this.#getting = this.#open()
    return await this.#getting
  }

  async #withChannel<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    this.#check()
    const channel = await this.#open()
    try {
      return await work(channel)
    } finally {
      await channel.close()
    }
  }

  async #open(): Promise<Channel> {
    const deadline = AbortSignal.timeout(this.#link.publishTimeoutMs)
    return (await this.#link.openChannel(deadline)).channel
  }
}

/** A queue that goes with this process, for what is worth nothing later. Kombu: `SimpleBuffer`. */
export class SimpleBuffer extends SimpleQueue {
  constructor(link: Link, name: string | Queue, options: SimpleQueueOptions = {}) {
    super(link, name, {
      noAck: true,
      ...options,
      queue: { durable: false, autoDelete: true, exclusive: true, ...options.queue },
      exchange: { durable: false, autoDelete: true, deliveryMode: 1, ...options.exchange },
    })
  }
}

function queueNamed(name: string, options: SimpleQueueOptions): Queue {
  return makeQueue(name, {
    ...options.queue,
    bindings: [{ exchange: exchange(name, options.exchange), routingKey: name }],
  })
}

function closed(name: string): MessagingError {
  return new MessagingError(
    'MESSAGING_CONNECTION_CLOSED',
    'fatal',
    `the simple queue '${name}' is closed`,
  )
}
