/** The consumers of one channel and their window: how many deliveries may be out at once. */
import type { ConsumeMessage } from 'amqplib/callback_api'
import { MessagingError } from '../../kernel/errors.ts'
import type { ConsumeOptions, OnDeliveries } from '../../transport/channel.ts'
import type { Inbox, Consumer } from './inbox.ts'
import type { Call, Callback } from './requests.ts'
import type { Settlements } from './settlements.ts'
import { toTable } from './values.ts'

/** AMQP has 16 bits for it. */
const longestWindow = 65_535

export interface ConsumersOptions {
  readonly call: Call
  readonly inbox: Inbox
  readonly settlements: Settlements
  /** False when one of these queues, or the broker, has no window for a whole channel. */
  readonly hasChannelWindow: (queues: readonly string[]) => boolean
  /** False when what arrives is not to be handed over, and goes back by itself. */
  readonly accepts: () => boolean
  /** The broker ended a consumer. */
  readonly onCancelled: (reason: MessagingError) => void
}

export class Consumers {
  readonly #options: ConsumersOptions
  readonly #consumers = new Map<string, Consumer>()
  #limit = 0
  /** The window as the broker knows it; it is told with the first consumer. */
  #window: 'unset' | 'channel' | 'consumer' = 'unset'
  #subscriptions = 0
  /** True while everything that is out goes back: what arrives now is the broker's again already. */
  #recovering = false

  constructor(options: ConsumersOptions) {
    this.#options = options
  }

  /**
   * How many more deliveries may be handed over. The broker sees to it itself where it can; one that takes
   * a window of the channel for one of each consumer does not say so.
   */
  get room(): number {
    if (this.#limit === 0 || this.#consumers.size === 0) return Infinity
    const { inbox, settlements } = this.#options
    return this.#limit - (settlements.size - inbox.waiting)
  }

  async consume(queue: string, options: ConsumeOptions, onDeliveries: OnDeliveries): Promise<void> {
    const { tag, noAck = false, exclusive = false, priority } = options
    const args = toTable({
      ...options.arguments,
      ...(priority !== undefined && { 'x-priority': priority }),
    })
    if (this.#consumers.has(tag)) {
      throw new MessagingError(
        'MESSAGING_DECLARATION_REFUSED',
        'channel',
        `consumer tag '${tag}' is in use on this channel`,
      )
    }
    const consumer: Consumer = { tag, wireTag: tag, queue, noAck, exclusive, args, onDeliveries }
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
    if (!consumer) return
    await this.#unsubscribe(consumer)
    this.#consumers.delete(tag)
    const { inbox, settlements } = this.#options
    inbox.handOver()
    // Held back by the window, and nobody's now.
    for (const rest of inbox.discard(consumer)) void settlements.settle(rest, 'back')
  }

  async prefetch(count: number): Promise<void> {
    this.#limit = Math.min(count, longestWindow)
    this.#options.settlements.setWindow(this.#limit)
    if (this.#consumers.size === 0) {
      // Told with the first consumer, when it is known what its queue allows.
      this.#window = 'unset'
      return
    }
    await this.#setWindow()
    this.#options.inbox.handOver()
  }

  /** Gives back everything that is out. */
  async recover(): Promise<void> {
    const { settlements, inbox, call } = this.#options
    settlements.flush()
    settlements.clear()
    inbox.discardHeld()
    this.#recovering = true
    await call('recovering', (ch, cb: Callback<unknown>) =>
      ch.recover((error, ok) => {
        this.#recovering = false
        cb(error, ok)
      }),
    )
  }

  #subscribe(consumer: Consumer): Promise<unknown> {
    const { wireTag: consumerTag, queue, noAck, exclusive, args } = consumer
    const { call, settlements, inbox, accepts, onCancelled } = this.#options
    const onMessage = (message: ConsumeMessage | null): void => {
      if (message === null) return onCancelled(cancelled(queue))
      if (!accepts() || (this.#recovering && !noAck)) return
      if (!noAck) settlements.add(message.fields.deliveryTag)
      inbox.add(consumer, message)
    }
    return call(`consuming queue '${queue}'`, (ch, cb: Callback<unknown>) =>
      ch.consume(queue, onMessage, { consumerTag, noAck, exclusive, arguments: args }, cb),
    )
  }

  #unsubscribe({ wireTag }: Consumer): Promise<unknown> {
    return this.#options.call(`cancelling consumer '${wireTag}'`, (ch, cb: Callback<unknown>) =>
      ch.cancel(wireTag, cb),
    )
  }

  /**
   * Tells the broker how much may be out. A window for the whole channel is what we want; where the broker
   * or a queue has none, each consumer gets the whole window and the inbox holds back what is too much.
   */
  async #setWindow(added?: string): Promise<void> {
    const queues = [...this.#consumers.values()].map(({ queue }) => queue)
    if (added !== undefined) queues.push(added)
    // What was fetched before would count against a window of the channel for ever: settling it does not.
    const { hasChannelWindow, settlements } = this.#options
    const wanted = settlements.fetched === 0 && hasChannelWindow(queues) ? 'channel' : 'consumer'
    if (this.#window === wanted && added !== undefined) return
    const before = this.#window
    this.#window = wanted
    if (before === 'channel' && wanted === 'consumer') await this.#qos(0, true)
    if (this.#limit > 0 || before !== 'unset') await this.#qos(this.#limit, wanted === 'channel')
    if (wanted === 'channel') return
    // Known to the consumers that follow only; those that run start anew.
    for (const consumer of this.#consumers.values()) {
      await this.#unsubscribe(consumer)
      // A new tag: RabbitMQ 3.10 fails on one that comes back while messages of a quorum queue are out.
      consumer.wireTag = `${consumer.tag}~${++this.#subscriptions}`
      await this.#subscribe(consumer)
    }
  }

  async #qos(count: number, forChannel: boolean): Promise<void> {
    await this.#options.call('setting the prefetch', (ch, cb: Callback<unknown>) =>
      ch.prefetch(count, forChannel, cb),
    )
  }
}

function cancelled(queue: string): MessagingError {
  return new MessagingError(
    'MESSAGING_CHANNEL_CLOSED',
    'channel',
    `the broker ended the consumer of queue '${queue}': the queue was removed, or its node is gone`,
  )
}
