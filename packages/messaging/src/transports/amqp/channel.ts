/** The verbs of a broker on an AMQP confirm channel. Refusals of the broker end the channel, as AMQP has it. */
import type { ConfirmChannel, GetMessage, Replies } from 'amqplib/callback_api'
import { MessagingError } from '../../kernel/errors.ts'
import type { Delivery, Outcome } from '../../message/delivery.ts'
import type { Binding, ExchangeBinding } from '../../topology/binding.ts'
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
import { Consumers } from './consumers.ts'
import {
  channelError,
  endedLink,
  isTransientRefusal,
  missingExchange,
  replyCodeOf,
  transientQueueError,
} from './faults.ts'
import { Inbox } from './inbox.ts'
import { Publisher } from './publisher.ts'
import type { Call, Callback } from './requests.ts'
import type { AmqpSession } from './session.ts'
import { Settlements } from './settlements.ts'
import { toTable } from './values.ts'

const done = Promise.resolve()

export class AmqpChannel implements Channel {
  readonly closed: Promise<MessagingError | undefined>
  readonly #session: AmqpSession
  readonly #channel: ConfirmChannel
  readonly #publisher: Publisher
  readonly #settlements: Settlements
  readonly #inbox: Inbox
  readonly #consumers: Consumers
  #over = false
  /** When the broker answered a request for the last time. */
  #answeredAtMs = -Infinity
  #closing: Promise<void> | undefined
  #lastError: Error | undefined
  #resolveClosed!: (reason: MessagingError | undefined) => void

  constructor(session: AmqpSession, channel: ConfirmChannel) {
    this.#session = session
    this.#channel = channel
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#publisher = new Publisher(channel, session.limits)
    this.#settlements = new Settlements(channel, session.clock, () => this.#inbox.handOver())
    this.#inbox = new Inbox(
      this.settle,
      () => this.#consumers.room,
      (error) => this.#fail(new Error('the receiver of deliveries failed', { cause: error })),
    )
    this.#consumers = new Consumers({
      call: this.#call,
      inbox: this.#inbox,
      settlements: this.#settlements,
      hasChannelWindow: (queues) => session.hasChannelWindow(queues),
      accepts: () => this.isOpen,
      onCancelled: (reason) => this.#fail(reason),
    })
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
      ).catch((error: unknown) => {
        throw endedLink(error, `exchange type '${type}'`) ? unknownType(name, type, error) : error
      })
    }
    this.#session.exchanges.add(name)
    if (!options?.passive) this.#session.exchangeTypes.set(name, type)
  }

  async removeExchange(name: string, options: { ifUnused?: boolean } = {}): Promise<void> {
    this.#session.exchanges.delete(name)
    await this.#call(`removing exchange '${name}'`, (ch, cb: Callback<unknown>) =>
      ch.deleteExchange(name, options, cb),
    )
  }

  async declareQueue(queue: Queue, options?: { passive?: boolean }): Promise<QueueStatus> {
    const { name, durable, exclusive, autoDelete } = queue
    const isTransient = !options?.passive && !durable && !exclusive
    if (isTransient && this.#session.refusesTransientQueues) throw transientQueueError(name)
    const { messageCount, consumerCount, ...ok } = await this.#call(
      `${options?.passive ? 'looking for' : 'declaring'} queue '${name}'`,
      (ch, cb: Callback<Replies.AssertQueue>) => {
        if (options?.passive) ch.checkQueue(name, cb)
        else {
          const args = { durable, exclusive, autoDelete, arguments: toTable(queue.arguments) }
          ch.assertQueue(name, args, cb)
        }
      },
    ).catch((error: unknown) => {
      throw isTransient && isTransientRefusal(error) ? transientQueueError(name, error) : error
    })
    const type = queue.arguments['x-queue-type']
    if (type === 'quorum' || type === 'stream') this.#session.queueTypes.set(ok.queue, type)
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

  async bindExchange({
    exchange,
    to,
    routingKey,
    arguments: args,
  }: ExchangeBinding): Promise<void> {
    await this.#call(`binding '${to}' to '${exchange}'`, (ch, cb: Callback<unknown>) =>
      ch.bindExchange(to, exchange, routingKey, toTable(args), cb),
    )
  }

  async unbindExchange({
    exchange,
    to,
    routingKey,
    arguments: args,
  }: ExchangeBinding): Promise<void> {
    await this.#call(`unbinding '${to}' from '${exchange}'`, (ch, cb: Callback<unknown>) =>
      ch.unbindExchange(to, exchange, routingKey, toTable(args), cb),
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
    if (this.#session.isBlocked) {
      await this.#session.unblocked()
      this.#check()
    }
    const { exchanges, delays } = this.#session
    if (batch.every((one) => one.delayUntilMs === undefined && exchanges.has(one.exchange))) {
      return await this.#publisher.publish(batch)
    }
    const { batch: undelayed, failures } = await delays.undelay(batch)
    // The broker ends a channel at the first publish to an exchange that is not there, and with it
    // everything that is not confirmed; so it is asked once, on a channel of no importance.
    const missing = await this.#session.missingExchanges(undelayed.map(({ exchange }) => exchange))
    this.#check()
    const places: number[] = []
    for (let i = 0; i < undelayed.length; i++) {
      const { exchange } = undelayed[i]!
      if (failures.has(i)) continue
      if (missing.has(exchange)) failures.set(i, noExchange(exchange))
      else places.push(i)
    }
    if (places.length === undelayed.length) return await this.#publisher.publish(undelayed)
    const refused = await this.#publisher.publish(places.map((i) => undelayed[i]!))
    for (const [at, error] of refused ?? []) failures.set(places[at]!, error)
    return failures
  }

  async get(queue: string, options?: { noAck?: boolean }): Promise<Delivery | undefined> {
    const noAck = options?.noAck ?? false
    const refused = (): MessagingError => notSupported('amqp', `get from the stream '${queue}'`)
    if (this.#session.queueTypes.get(queue) === 'stream') throw refused()
    const message = await this.#call(
      `getting from queue '${queue}'`,
      (ch, cb: Callback<GetMessage | false>) =>
        ch.get(queue, { noAck }, (error, got) => {
          // In the callback, before anything else can be settled: see Settlements.
          if (got && !noAck) this.#settlements.add(got.fields.deliveryTag, true)
          cb(error, got)
        }),
    ).catch((error: unknown) => {
      throw endedLink(error, 'basic.get not supported') ? refused() : error
    })
    return message ? this.#inbox.deliver(message, '', queue, noAck) : undefined
  }

  async consume(queue: string, options: ConsumeOptions, onDeliveries: OnDeliveries): Promise<void> {
    this.#check()
    await this.#consumers.consume(queue, options, onDeliveries)
  }

  async cancel(tag: string): Promise<void> {
    if (this.isOpen) await this.#consumers.cancel(tag)
  }

  async prefetch(count: number): Promise<void> {
    this.#check()
    await this.#consumers.prefetch(count)
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
    this.#check()
    await this.#consumers.recover()
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

  readonly #call: Call = async <T>(
    what: string,
    run: (channel: ConfirmChannel, cb: Callback<T>) => void,
  ): Promise<T> => {
    this.#check()
    try {
      const request = new Promise<T>((resolve, reject) => {
        run(this.#channel, (error, result) => {
          this.#answeredAtMs = this.#session.clock.monotonic()
          if (error === null) resolve(result)
          else reject(error)
        })
      })
      return await this.#session.answered(request, what, () => this.#answeredAtMs)
    } catch (error) {
      if (MessagingError.is(error) && error.code === 'MESSAGING_TIMEOUT') this.#fail(error)
      if (MessagingError.is(error) || replyCodeOf(error) !== undefined || !this.#over)
        throw channelError(error, what)
      throw (await this.closed) ?? channelClosed()
    }
  }
}

function channelClosed(): MessagingError {
  return new MessagingError('MESSAGING_CHANNEL_CLOSED', 'channel', 'this channel is closed')
}

function unknownType(name: string, type: string, cause: unknown): MessagingError {
  return new MessagingError(
    'MESSAGING_DECLARATION_REFUSED',
    'channel',
    `declaring exchange '${name}': this broker has no exchanges of type '${type}'; switch on the plug-in that brings them`,
    { cause },
  )
}

function noExchange(exchange: string): MessagingError {
  return new MessagingError(
    'MESSAGING_PUBLISH_REFUSED',
    'message',
    `no exchange '${exchange}' here; declare it first, or look at its name`,
  )
}
