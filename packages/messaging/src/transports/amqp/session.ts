/** One AMQP link: opens channels, remembers what the broker said about its exchanges, ends. */
import type { ConfirmChannel, Connection } from 'amqplib/callback_api'
import type { Ambient } from '../../kernel/ambient.ts'
import { sleep, type Clock } from '../../kernel/clock.ts'
import { MessagingError, messageOf } from '../../kernel/errors.ts'
import type { Channel } from '../../transport/channel.ts'
import type { ConnectOptions, Session } from '../../transport/transport.ts'
import type { ExchangeType } from '../../topology/exchange.ts'
import { AmqpChannel } from './channel.ts'
import { Delays } from './delays.ts'
import { answerMs, ladderOptions } from './options.ts'
import type { Limits } from './publisher.ts'
import {
  channelError,
  channelsExhausted,
  isTransientRefusal,
  linkError,
  reply,
  replyCodeOf,
} from './faults.ts'
import { agreedOn, socketOf } from './wire.ts'

/** Longest wait for the broker's good-bye. */
const farewellMs = 2000
/** Longest headers amqplib can write, with the properties beside them. */
const longestHeader = 65_536 + 4096
/** How long a batch waits at a link that is blocked before it goes back to whoever has its deadline. */
const blockedMs = 500
/** Requests of a link that were never answered, and make it be given up. */
const enoughUnanswered = 5
/** Brokers, by URL, that refused a window for a whole channel: it costs a link to find out. */
const withoutChannelWindow = new Set<string>()
/** Brokers, by URL, that ended a link over a transient queue, and when: it costs everyone on the link. */
const withoutTransientQueues = new Map<string, number>()
/** How long that is believed; a broker's configuration may change. */
const refusalMs = 60_000

export class AmqpSession implements Session {
  readonly closed: Promise<MessagingError | undefined>
  readonly server: string
  /** Exchanges that exist for all we know. Written by channels. */
  readonly exchanges = new Set(['', 'amq.direct', 'amq.topic', 'amq.fanout', 'amq.headers'])
  /** Types of exchanges that were declared here. Written by channels. */
  readonly exchangeTypes = new Map<string, ExchangeType>()
  readonly delays: Delays
  readonly limits: Limits
  /** Queues that were declared here and know a window for each consumer only. Written by channels. */
  readonly queueTypes = new Map<string, 'quorum' | 'stream'>()
  readonly #model: Connection
  readonly #ambient: Ambient
  readonly #masked: string
  readonly #channels = new Set<AmqpChannel>()
  readonly #channelWindow: boolean
  readonly #answerMs: number
  #unanswered = 0
  /** Why the broker takes no messages, while it takes none. */
  #blocked: string | undefined
  readonly #waiting = new Set<() => void>()
  #over = false
  #closing: Promise<void> | undefined
  #lastError: Error | undefined
  #resolveClosed!: (reason: MessagingError | undefined) => void

  /** Call it in the turn in which amqplib gave the connection, or an event may be missed. */
  constructor(model: Connection, { ambient, target, onBlocked }: ConnectOptions) {
    this.#model = model
    this.#ambient = ambient
    this.#masked = target.masked
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.delays = new Delays(
      {
        exchanges: this.exchanges,
        exchangeTypes: this.exchangeTypes,
        openChannel: () => this.openChannel(),
        now: () => ambient.clock.now(),
      },
      ladderOptions(target),
    )
    this.#answerMs = answerMs(target)
    const { frameMax } = agreedOn(model)
    const isShort = frameMax > 0 && frameMax < longestHeader
    this.limits = { bodyBytes: Infinity, headerBytes: isShort ? frameMax : Infinity }
    const { product, version } = model.connection.serverProperties
    this.server = `${product} ${version}`
    this.#channelWindow = !refusesChannelWindow(product, version)
    model.on('error', (error) => (this.#lastError = error))
    model.on('close', (error?: Error) => this.#onClose(error))
    model.on('blocked', (reason: string) => {
      this.#blocked = reason
      onBlocked?.(reason)
      ambient.log.warn('the broker takes no messages for now', { url: target.masked, reason })
    })
    model.on('unblocked', () => {
      this.#blocked = undefined
      for (const wake of this.#waiting) wake()
      onBlocked?.(undefined)
      ambient.log.info('the broker takes messages again', { url: target.masked })
    })
  }

  /** True while the broker reads nothing from this link: its memory or disk is short. */
  get isBlocked(): boolean {
    return this.#blocked !== undefined
  }

  /**
   * Resolves when the broker takes messages. What is written meanwhile would stay in memory beyond every
   * deadline, so it rejects after a moment, and the caller comes again.
   */
  async unblocked(): Promise<void> {
    const waiting = new AbortController()
    const wake = (): void => waiting.abort()
    this.#waiting.add(wake)
    await sleep(this.clock, blockedMs, waiting.signal)
    this.#waiting.delete(wake)
    if (this.#blocked === undefined || this.#over) return
    throw new MessagingError(
      'MESSAGING_PUBLISH_REFUSED',
      'connection',
      `the broker takes no messages for now: ${this.#blocked}`,
    )
  }

  get clock(): Clock {
    return this.#ambient.clock
  }

  async openChannel(): Promise<Channel> {
    return await this.#openChannel((opened) => {
      const channel = new AmqpChannel(this, opened)
      this.#channels.add(channel)
      void channel.closed.then(() => this.#channels.delete(channel))
      return channel
    })
  }

  /** False when one of these queues, or the broker, has no window for a whole channel. */
  hasChannelWindow(queues: readonly string[]): boolean {
    if (!this.#channelWindow || withoutChannelWindow.has(this.#masked)) return false
    return !queues.some((queue) => this.queueTypes.has(queue))
  }

  /** True when this broker makes no queues that are neither durable nor exclusive, as far as we know. */
  get refusesTransientQueues(): boolean {
    const at = withoutTransientQueues.get(this.#masked)
    return at !== undefined && this.clock.monotonic() - at < refusalMs
  }

  /** Those of the exchanges that the broker does not have; asks once for each name. */
  async missingExchanges(names: readonly string[]): Promise<Set<string>> {
    const missing = new Set<string>()
    for (const name of new Set(names)) {
      if (this.exchanges.has(name)) continue
      if (await this.#exchangeExists(name)) this.exchanges.add(name)
      else missing.add(name)
    }
    return missing
  }

  /**
   * As `work`, which the broker is to answer; rejects with `MESSAGING_TIMEOUT` when it is silent for too
   * long, also to what was asked before (`lastMs`). A broker that is short of memory may be.
   */
  async answered<T>(
    work: Promise<T>,
    what: string,
    lastMs: () => number = () => -Infinity,
  ): Promise<T> {
    let late: MessagingError | undefined
    let cancel!: () => void
    const silence = new Promise<never>((_, reject) => {
      const wait = (ms: number): void => {
        cancel = this.clock.after(ms, () => {
          if (this.isBlocked) return wait(this.#answerMs)
          const leftMs = lastMs() + this.#answerMs - this.clock.monotonic()
          if (leftMs > 0) return wait(leftMs)
          const seconds = this.#answerMs / 1000
          const text = `${what}: the broker did not answer within ${seconds} s`
          reject((late = new MessagingError('MESSAGING_TIMEOUT', 'channel', text)))
        })
      }
      wait(this.#answerMs)
    })
    try {
      return await Promise.race([work, silence])
    } catch (error) {
      // Each leaves a channel behind that the broker has not closed.
      if (error === late && ++this.#unanswered >= enoughUnanswered)
        socketOf(this.#model).destroy(late)
      throw error
    } finally {
      cancel()
    }
  }

  /** Waits for `work`, but not for ever; what a dead link never answers is left alone. */
  async inTime(work: Promise<void>): Promise<void> {
    const waiting = new AbortController()
    await Promise.race([work, sleep(this.#ambient.clock, farewellMs, waiting.signal)])
    waiting.abort()
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#channels].map((channel) => channel.close()))
    if (!this.#over) {
      await this.inTime(
        new Promise<void>((resolve) => {
          void this.closed.then(() => resolve())
          this.#model.close(() => resolve())
        }),
      )
    }
    this.#end(undefined)
  }

  #onClose(error: Error | undefined): void {
    if (this.#over) return
    const cause = error ?? this.#lastError
    if (replyCodeOf(cause) === reply.notImplemented) withoutChannelWindow.add(this.#masked)
    if (isTransientRefusal(cause)) withoutTransientQueues.set(this.#masked, this.clock.monotonic())
    this.#end(this.#closing ? undefined : linkError(cause, this.#masked))
  }

  #end(reason: MessagingError | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#resolveClosed(reason)
    const socket = socketOf(this.#model)
    socket.end()
    // A peer that is gone never answers the end of a socket, and the process would wait for it.
    this.#ambient.clock.after(100, () => socket.destroy(), { background: true })
    socket.unref()
  }

  #openChannel<T>(use: (channel: ConfirmChannel) => T): Promise<T> {
    return this.answered(this.#createChannel(use), 'opening a channel')
  }

  /** `use` runs in the turn in which the broker opened the channel: no event of it is missed. */
  #createChannel<T>(use: (channel: ConfirmChannel) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closing || this.#over) return reject(sessionClosed())
      try {
        const channel = this.#model.createConfirmChannel((error: Error | null) => {
          if (error === null) resolve(use(channel))
          else void this.#reason(error, 'opening a channel').then(reject)
        })
        // From the first moment: an error event without a listener would end the process.
        channel.on('error', () => undefined)
      } catch (error) {
        void this.#reason(error, 'opening a channel').then(reject)
      }
    })
  }

  /** What ended a request: the broker's refusal, else what ended the link a moment later. */
  async #reason(error: unknown, what: string): Promise<MessagingError> {
    await Promise.resolve()
    if (replyCodeOf(error) === undefined && this.#over)
      return (await this.closed) ?? sessionClosed()
    return /No channels left/.test(messageOf(error))
      ? channelsExhausted(agreedOn(this.#model).channelMax, error)
      : channelError(error, what)
  }

  async #exchangeExists(name: string): Promise<boolean> {
    return await this.#openChannel(
      (channel) =>
        new Promise<boolean>((resolve, reject) => {
          channel.checkExchange(name, (error: Error | null) => {
            const code = replyCodeOf(error)
            if (error !== null && code === undefined) {
              return void this.#reason(error, `looking for exchange '${name}'`).then(reject)
            }
            if (error === null) channel.close()
            // Any other refusal is not about its existence; publishing will show it.
            resolve(code !== reply.notFound)
          })
        }),
    )
  }
}

/** RabbitMQ from 4.3 on ends a link that asks for it. */
function refusesChannelWindow(product: string, version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return product === 'RabbitMQ' && (major > 4 || (major === 4 && minor >= 3))
}

function sessionClosed(): MessagingError {
  return new MessagingError('MESSAGING_CONNECTION_CLOSED', 'connection', 'this session is closed')
}
