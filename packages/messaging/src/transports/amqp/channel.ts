/** The verbs of a broker on an AMQP confirm channel. Refusals of the broker end the channel, as AMQP has it. */
import type { ConfirmChannel, ConsumeMessage, GetMessage, Replies } from 'amqplib/callback_api'
import { MessagingError } from '../../kernel/errors.ts'
import type { Delivery, Outcome } from '../../message/delivery.ts'
import type { Binding } from '../../topology/binding.ts'
import type { Exchange } from '../../topology/exchange.ts'
import type { Queue } from '../../topology/queue.ts'
import { notSupported } from '../../transport/capabilities.ts'
import type {
  Channel,
  ConsumeOptions,
  OnDeliveries,
  Publication,
  PublishFailures,
  QueueStatus,
} from '../../transport/channel.ts'
import { channelError, missingExchange, replyCodeOf } from './faults.ts'
import { Inbox, type Consumer } from './inbox.ts'
import { Publisher } from './publisher.ts'
import type { AmqpSession } from './session.ts'
import { Settlements } from './settlements.ts'
import { toTable } from './values.ts'

type Callback<T> = (error: Error | null, result: T) => void

/** AMQP has 16 bits for it. */
const longestWindow = 65_535

const done = Promise.resolve()

export class AmqpChannel implements Channel {
  readonly closed: Promise<MessagingError | undefined>
  readonly #session: AmqpSession
  readonly #channel: ConfirmChannel
  readonly #publisher: Publisher
  readonly #settlements: Settlements
  readonly #inbox: Inbox
  readonly #consumers = new Map<string, Consumer>()
  #limit = 0
  /** True while everything that is out goes back: what arrives now is the broker's again already. */
  #recovering = false
  /** The window as the broker knows it; it is told with the first consumer. */
  #window: 'unset' | 'channel' | 'consumer' = 'unset'
  #over = false
  #closing: Promise<void> | undefined
  #lastError: Error | undefined
  #resolveClosed!: (reason: MessagingError | undefined) => void

  constructor(session: AmqpSession, channel: ConfirmChannel) {
    this.#session = session
    this.#channel = channel
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#publisher = new Publisher(channel)
    this.#settlements = new Settlements(channel, () => this.#inbox.handOver())
    this.#inbox = new Inbox(
      this.settle,
      () => this.#room(),
      (error) => this.#fail(new Error('the receiver of deliveries failed', { cause: error })),
    )
    channel.on('error', (error) => (this.#lastError = error))
    channel.on('close', () => this.#onClose())
  }

  get isOpen(): boolean {
    return !this.#over && this.#closing === undefined
  }

  async declareExchange(exchange: Exchange, options?: { passive?: boolean }): Promise<void> {
    const { name, type, durable, autoDelete } = exchange
    if (name === '') return
    if (options?.passive) {
      await this.#call(`looking for exchange '${name}'`, (ch, cb: Callback<unknown>) =>
        ch.checkExchange(name, cb),
      )
    } else {
      const args = { durable, autoDelete, arguments: toTable(exchange.arguments) }
      await this.#call(`declaring exchange '${name}'`, (ch, cb: Callback<unknown>) =>
        ch.assertExchange(name, type, args, cb),
      )
    }
    this.#session.exchanges.add(name)
  }

  async removeExchange(name: string): Promise<void> {
    this.#session.exchanges.delete(name)
    await this.#call(`removing exchange '${name}'`, (ch, cb: Callback<unknown>) =>
      ch.deleteExchange(name, {}, cb),
    )
  }

  async declareQueue(queue: Queue, options?: { passive?: boolean }): Promise<QueueStatus> {
    const { name, durable, exclusive, autoDelete } = queue
    const { messageCount, consumerCount, ...ok } = await this.#call(
      `${options?.passive ? 'looking for' : 'declaring'} queue '${name}'`,
      (ch, cb: Callback<Replies.AssertQueue>) => {
        if (options?.passive) ch.checkQueue(name, cb)
        else {
          const args = { durable, exclusive, autoDelete, arguments: toTable(queue.arguments) }
          ch.assertQueue(name, args, cb)
        }
      },
    )
    const type = queue.arguments['x-queue-type']
    if (type === 'quorum' || type === 'stream') this.#session.perConsumerQueues.add(ok.queue)
    return { name: ok.queue, messages: messageCount, consumers: consumerCount }
  }

  async removeQueue(
    name: string,
    options: { ifUnused?: boolean; ifEmpty?: boolean } = {},
  ): Promise<number> {
    const { messageCount } = await this.#call(
      `removing queue '${name}'`,
      (ch, cb: Callback<Replies.DeleteQueue>) => ch.deleteQueue(name, options, cb),
    )
    return messageCount
  }

  async bind({ queue, exchange, routingKey, arguments: args }: Binding): Promise<void> {
    await this.#call(`binding '${queue}' to '${exchange}'`, (ch, cb: Callback<unknown>) =>
      ch.bindQueue(queue, exchange, routingKey, toTable(args), cb),
    )
  }

  async unbind({ queue, exchange, routingKey, arguments: args }: Binding): Promise<void> {
    await this.#call(`unbinding '${queue}' from '${exchange}'`, (ch, cb: Callback<unknown>) =>
      ch.unbindQueue(queue, exchange, routingKey, toTable(args), cb),
    )
  }

  async purge(queue: string): Promise<number> {
    const { messageCount } = await this.#call(
      `purging queue '${queue}'`,
      (ch, cb: Callback<Replies.PurgeQueue>) => ch.purgeQueue(queue, cb),
    )
    return messageCount
  }

  async publish(batch: readonly Publication[]): Promise<PublishFailures> {
    this.#check()
    const { exchanges } = this.#session
    if (batch.every(({ exchange }) => exchanges.has(exchange))) {
      return await this.#publisher.publish(batch)
    }
    // The broker ends a channel at the first publish to an exchange that is not there, and with it
    // everything that is not confirmed; so it is asked once, on a channel of no importance.
    const missing = await this.#session.missingExchanges(batch.map(({ exchange }) => exchange))
    this.#check()
    if (missing.size === 0) return await this.#publisher.publish(batch)
    const places: number[] = []
    const failures = new Map<number, MessagingError>()
    for (let i = 0; i < batch.length; i++) {
      const { exchange } = batch[i]!
      if (missing.has(exchange)) failures.set(i, noExchange(exchange))
      else places.push(i)
    }
    const refused = await this.#publisher.publish(places.map((i) => batch[i]!))
    for (const [at, error] of refused ?? []) failures.set(places[at]!, error)
    return failures
  }

  async get(queue: string, options?: { noAck?: boolean }): Promise<Delivery | undefined> {
    const noAck = options?.noAck ?? false
    const message = await this.#call(
      `getting from queue '${queue}'`,
      (ch, cb: Callback<GetMessage | false>) =>
        ch.get(queue, { noAck }, (error, got) => {
          // In the callback, before anything else can be settled: see Settlements.
          if (got && !noAck) this.#settlements.add(got.fields.deliveryTag)
          cb(error, got)
        }),
    )
    return message ? this.#inbox.deliver(message, '', queue, noAck) : undefined
  }

  async consume(queue: string, options: ConsumeOptions, onDeliveries: OnDeliveries): Promise<void> {
    const { tag, noAck = false, exclusive = false } = options
    this.#check()
    if (this.#consumers.has(tag)) {
      throw new MessagingError(
        'MESSAGING_DECLARATION_REFUSED',
        'channel',
        `consumer tag '${tag}' is in use on this channel`,
      )
    }
    const consumer: Consumer = { tag, queue, noAck, exclusive, onDeliveries }
    await this.#setWindow(queue)
    this.#consumers.set(tag, consumer)
    try {
      await this.#subscribe(consumer)
    } catch (error) {
      this.#consumers.delete(tag)
      throw error
    }
  }

  async cancel(tag: string): Promise<void> {
    const consumer = this.#consumers.get(tag)
    if (!consumer || !this.isOpen) return
    await this.#unsubscribe(tag)
    this.#consumers.delete(tag)
    this.#inbox.handOver()
    // Held back by the window, and nobody's now.
    for (const rest of this.#inbox.discard(consumer)) void this.#settlements.settle(rest, 'back')
  }

  async prefetch(count: number): Promise<void> {
    this.#check()
    this.#limit = Math.min(count, longestWindow)
    if (this.#consumers.size === 0) {
      // Told with the first consumer, when it is known what its queue allows.
      this.#window = 'unset'
      return
    }
    await this.#setWindow()
    this.#inbox.handOver()
  }

  readonly settle = (delivery: Delivery, outcome: Outcome): Promise<void> => {
    if (typeof outcome === 'object') {
      return Promise.reject(notSupported('amqp', 'hold a message until a time'))
    }
    const tag = delivery.origin.receipt as number
    if (this.#over || !this.#settlements.has(tag)) return done
    return this.#settlements.settle(
      tag,
      outcome === 'ack' ? 'ack' : outcome === 'drop' ? 'drop' : 'back',
    )
  }

  async recover(): Promise<void> {
    this.#settlements.flush()
    this.#settlements.clear()
    this.#inbox.discardHeld()
    this.#recovering = true
    await this.#call('recovering', (ch, cb: Callback<unknown>) =>
      ch.recover((error, ok) => {
        this.#recovering = false
        cb(error, ok)
      }),
    )
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    if (this.#over) return
    this.#inbox.discard()
    this.#settlements.flush()
    // A broker that does not read answers nothing; the end of the link gives everything back as well.
    if (!this.#session.isBlocked) await this.#session.inTime(this.#publisher.idle())
    if (this.#over) return
    this.#settlements.flush()
    this.#stop()
    const gone = new Promise<void>((resolve) => this.#channel.once('close', resolve))
    this.#channel.close()
    if (!this.#session.isBlocked) await this.#session.inTime(gone)
    this.#end(undefined)
  }

  /** Ends the channel for a reason of our own. */
  #fail(reason: Error): void {
    if (this.#over) return
    this.#lastError = reason
    this.#channel.close()
    this.#onClose()
  }

  /** amqplib's channel is over: by the broker's will, with the link, or because we closed it. */
  #onClose(): void {
    if (this.#over) return
    this.#stop()
    if (this.#closing) return this.#end(undefined)
    const error = this.#lastError
    if (error === undefined) {
      // It went with its link, which tells its reason in a moment.
      void this.#session.closed.then((reason) => this.#end(reason ?? channelClosed()))
      return
    }
    const exchange = missingExchange(error)
    if (exchange !== undefined) this.#session.exchanges.delete(exchange)
    this.#end(channelError(error))
  }

  #stop(): void {
    this.#over = true
    this.#inbox.discard()
    this.#settlements.clear()
  }

  #end(reason: MessagingError | undefined): void {
    this.#stop()
    this.#publisher.fail(reason ?? channelClosed())
    this.#resolveClosed(reason)
  }

  #check(): void {
    if (!this.isOpen) throw channelClosed()
  }

  /** One request and its answer. A refusal has ended the channel; it is named after what was asked for. */
  async #call<T>(
    what: string,
    run: (channel: ConfirmChannel, cb: Callback<T>) => void,
  ): Promise<T> {
    this.#check()
    try {
      return await new Promise<T>((resolve, reject) => {
        run(this.#channel, (error, result) => {
          if (error === null) resolve(result)
          else reject(error)
        })
      })
    } catch (error) {
      if (MessagingError.is(error) || replyCodeOf(error) !== undefined || !this.#over)
        throw channelError(error, what)
      throw (await this.closed) ?? channelClosed()
    }
  }

  #subscribe(consumer: Consumer): Promise<unknown> {
    const { tag, queue, noAck, exclusive } = consumer
    const onMessage = (message: ConsumeMessage | null): void => {
      if (message === null) return this.#fail(cancelled(queue))
      if (!this.isOpen || (this.#recovering && !noAck)) return
      if (!noAck) this.#settlements.add(message.fields.deliveryTag)
      this.#inbox.add(consumer, message)
    }
    return this.#call(`consuming queue '${queue}'`, (ch, cb: Callback<unknown>) =>
      ch.consume(queue, onMessage, { consumerTag: tag, noAck, exclusive }, cb),
    )
  }

  #unsubscribe(tag: string): Promise<unknown> {
    return this.#call(`cancelling consumer '${tag}'`, (ch, cb: Callback<unknown>) =>
      ch.cancel(tag, cb),
    )
  }

  /**
   * Tells the broker how much may be out. A window for the whole channel is what we want; where the broker
   * or a queue has none, each consumer gets the whole window and the inbox holds back what is too much.
   */
  async #setWindow(added?: string): Promise<void> {
    const queues = [...this.#consumers.values()].map(({ queue }) => queue)
    if (added !== undefined) queues.push(added)
    const wanted = this.#session.hasChannelWindow(queues) ? 'channel' : 'consumer'
    if (this.#window === wanted && added !== undefined) return
    const before = this.#window
    this.#window = wanted
    if (before === 'channel' && wanted === 'consumer') await this.#qos(0, true)
    if (this.#limit > 0 || before !== 'unset') await this.#qos(this.#limit, wanted === 'channel')
    if (wanted === 'channel') return
    // Known to the consumers that follow only; those that run start anew.
    for (const consumer of this.#consumers.values()) {
      await this.#unsubscribe(consumer.tag)
      await this.#subscribe(consumer)
    }
  }

  async #qos(count: number, forChannel: boolean): Promise<void> {
    await this.#call('setting the prefetch', (ch, cb: Callback<unknown>) =>
      ch.prefetch(count, forChannel, cb),
    )
  }

  #room(): number {
    if (this.#window !== 'consumer' || this.#limit === 0) return Infinity
    return this.#limit - (this.#settlements.size - this.#inbox.waiting)
  }
}

function channelClosed(): MessagingError {
  return new MessagingError('MESSAGING_CHANNEL_CLOSED', 'channel', 'this channel is closed')
}

function cancelled(queue: string): MessagingError {
  return new MessagingError(
    'MESSAGING_CHANNEL_CLOSED',
    'channel',
    `the broker ended the consumer of queue '${queue}': the queue was removed, or its node is gone`,
  )
}

function noExchange(exchange: string): MessagingError {
  return new MessagingError(
    'MESSAGING_PUBLISH_REFUSED',
    'message',
    `no exchange '${exchange}' here; declare it first, or look at its name`,
  )
}
