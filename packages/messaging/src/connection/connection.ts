/**
 * What users hold: one logical connection to a broker or to a list of them. It opens when first needed,
 * comes back by itself after a fault, and hands out producers and consumers that survive it.
 */
import { BodyCodec } from '../codec/body.ts'
import { compressors } from '../compressors/index.ts'
import { Consumer, type ConsumerOptions } from '../consumer/consumer.ts'
import { iterate, type IterateOptions } from '../consumer/iterate.ts'
import type { Ambient } from '../kernel/ambient.ts'
import { Counters, type Counts } from '../kernel/counters.ts'
import { asMessagingError, messageOf, MessagingError } from '../kernel/errors.ts'
import { reconnectPolicy, retry } from '../kernel/retry.ts'
import { Signals } from '../kernel/signals.ts'
import { Loop, type LoopHandler, type LoopOptions } from '../loop/loop.ts'
import { Mailbox, type MailboxOptions } from '../mailbox/mailbox.ts'
import type { Delivery } from '../message/delivery.ts'
import { Producer, type ProducerOptions } from '../producer/producer.ts'
import { serializers } from '../serializers/index.ts'
import { SimpleBuffer, SimpleQueue, type SimpleQueueOptions } from '../simple/simple-queue.ts'
import type { Queue } from '../topology/queue.ts'
import type { Capabilities } from '../transport/capabilities.ts'
import type { Channel } from '../transport/channel.ts'
import type { Link } from '../transport/link.ts'
import type { Session, Target, Transport, TransportEntry } from '../transport/transport.ts'
import { transports as shelf } from '../transports/index.ts'
import { failover } from './failover.ts'
import { checkTransportOptions } from './check-options.ts'
import {
  connectionConfig,
  withUrlOptions,
  type ConnectionConfig,
  type ConnectionOptions,
} from './options.ts'
import { parseUrl, splitUrls } from './url.ts'

export interface ConnectionSignals {
  /** A link is open; `server` is the broker's name and version. */
  connected: { readonly url: string; readonly server: string; readonly recovered: boolean }
  /** The link is gone; it comes back by itself while anyone needs it. */
  disconnected: { readonly error: MessagingError }
  /** An attempt to connect failed; the next one follows. */
  retrying: { readonly error: Error; readonly attempt: number }
  /** The broker takes no messages for now, for the reason it gives: publishes wait for their deadline. */
  blocked: { readonly reason: string }
  unblocked: object
  /** Something was done so many times; see `counts`. For metrics. */
  counted: { readonly what: keyof Counts; readonly count: number }
  closed: object
}

export type ConnectionState = 'idle' | 'connecting' | 'connected' | 'closed'

/** An attempt to connect that several callers wait for. */
interface Opening {
  readonly promise: Promise<Session>
  readonly stop: AbortController
  waiters: number
  /** Why the last try failed. */
  lastError: Error | undefined
}

export class Connection implements Link {
  readonly signals = new Signals<ConnectionSignals>()
  readonly codec: BodyCodec
  /** Told by the parts of this connection; users read `counts`. */
  readonly counters = new Counters((what, count) => {
    if (this.signals.has('counted')) this.signals.emit('counted', { what, count })
  })
  readonly #config: ConnectionConfig
  readonly #entries: Readonly<Record<string, TransportEntry>>
  readonly #targets: readonly Target[]
  readonly #order: Generator<number, never, void>
  readonly #parts = new Set<{ stop(): Promise<void> }>()
  readonly #closed = new AbortController()
  #session: Session | undefined
  /** Lost with its link; the next one may go on with what it held. */
  #lost: Session | undefined
  #isBlocked = false
  #opening: Opening | undefined
  #wasConnected = false
  #ending: Promise<void> | undefined

  /** Throws `MESSAGING_URL_INVALID` or `MESSAGING_OPTION_INVALID`; connects to nothing yet. */
  constructor(urls: string | readonly string[], options: ConnectionOptions = {}) {
    this.#entries = options.transports ?? shelf
    this.#targets = splitUrls(urls).map((url) => {
      const target = parseUrl(
        url,
        Object.keys(this.#entries),
        options.transportOptions,
        (scheme) => this.#entries[scheme]?.defaultPort,
      )
      const { username, password, virtualHost: path, port } = options
      return { ...target, ...defined({ username, password, path, port }) }
    })
    this.#config = connectionConfig(withUrlOptions(options, this.#targets[0]!.options))
    this.#order = failover(this.#config.failover)(this.#targets.length, this.ambient.random)
    this.codec = new BodyCodec({
      serializers: options.serializers ?? Object.values(serializers),
      compressors: options.compressors ?? Object.values(compressors),
      accept: this.#config.accept,
      limitBytes: this.#config.bodyLimit,
    })
  }

  get ambient(): Ambient {
    return this.#config.ambient
  }

  get publishTimeoutMs(): number {
    return this.#config.publishTimeoutMs
  }

  get publishBuffer(): number {
    return this.#config.publishBuffer
  }

  get state(): ConnectionState {
    if (this.#closed.signal.aborted) return 'closed'
    if (this.#session) return 'connected'
    return this.#opening ? 'connecting' : 'idle'
  }

  /** True while messages can be published and consumed: connected, and not blocked by the broker. */
  get isReady(): boolean {
    return this.#session !== undefined && !this.#isBlocked
  }

  /** True while the broker takes no messages, because its memory or disk is short. */
  get isBlocked(): boolean {
    return this.#isBlocked
  }

  /** The URLs, passwords masked. */
  get urls(): readonly string[] {
    return this.#targets.map((target) => target.masked)
  }

  /** What was done over this connection since it was made. */
  get counts(): Counts {
    return this.counters.counts
  }

  /** Name and version of the broker at the other end, while connected. */
  get server(): string | undefined {
    return this.#session?.server
  }

  /**
   * Connects now: each URL once. Resolves when a link is open; rejects with the last URL's error.
   */
  async connect(): Promise<this> {
    if (this.#session || this.#opening) {
      await this.session(AbortSignal.timeout(this.#config.connectTimeoutMs * this.#targets.length))
      return this
    }
    let failure: unknown
    for (let i = 0; i < this.#targets.length; i++) {
      try {
        this.#adopt(await this.#attempt())
        return this
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  /** What the transport of the first URL can do. */
  async capabilities(): Promise<Capabilities> {
    return (await this.#transport(this.#targets[0]!)).capabilities
  }

  /** A producer; it has a channel of its own and shares the link. */
  producer(options: ProducerOptions = {}): Producer {
    this.#check()
    return new Producer(this, options)
  }

  /** A consumer; call `start()` on it. */
  consumer(options: ConsumerOptions): Consumer {
    this.#check()
    return new Consumer(this, options)
  }

  /** Deliveries of one or several queues as an async iterator. */
  consume(
    queues: Queue | string | readonly (Queue | string)[],
    options: IterateOptions = {},
  ): AsyncGenerator<Delivery, void, void> {
    this.#check()
    const list = Array.isArray(queues) ? (queues as readonly (Queue | string)[]) : [queues]
    return iterate(this, list as readonly (Queue | string)[], options)
  }

  /** Runs a handler for each message of the queues, settling by how it ends; call `run()` on it. */
  loop(
    queues: ConsumerOptions['queues'] | Queue | string,
    handler: LoopHandler,
    options?: LoopOptions,
  ): Loop {
    this.#check()
    const list = typeof queues === 'string' || 'bindings' in queues ? [queues] : queues
    return new Loop(this, list, handler, options)
  }

  /** A queue with the manners of a local one. */
  simpleQueue(name: Queue | string, options?: SimpleQueueOptions): SimpleQueue {
    this.#check()
    return new SimpleQueue(this, name, options)
  }

  /** The same, for what is worth nothing after this process. */
  simpleBuffer(name: Queue | string, options?: SimpleQueueOptions): SimpleBuffer {
    this.#check()
    return new SimpleBuffer(this, name, options)
  }

  /** Commands to many nodes, and their replies. */
  mailbox(namespace: string, options?: MailboxOptions): Mailbox {
    this.#check()
    return new Mailbox(this, namespace, options)
  }

  /** A raw channel on the current link; the caller closes it, and opens another after a fault. */
  async channel(
    signal: AbortSignal = AbortSignal.timeout(this.#config.connectTimeoutMs),
  ): Promise<Channel> {
    return (await this.openChannel(signal)).channel
  }

  /** Runs `work` on a channel of its own and closes it after. */
  async withChannel<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.channel()
    try {
      return await work(channel)
    } finally {
      await channel.close()
    }
  }

  async openChannel(signal: AbortSignal): Promise<{ channel: Channel; session: Session }> {
    const session = await this.session(signal)
    return { channel: await session.openChannel(), session }
  }

  async session(signal: AbortSignal): Promise<Session> {
    this.#check()
    if (this.#session) return this.#session
    this.#opening ??= this.#open()
    const opening = this.#opening
    opening.waiters++
    let abort!: () => void
    const aborted = new Promise<never>((_, reject) => {
      abort = () => {
        const why = opening.lastError === undefined ? '' : `: ${messageOf(opening.lastError)}`
        reject(
          new MessagingError(
            'MESSAGING_TIMEOUT',
            'connection',
            `no connection to ${this.urls.join(' or ')} in time${why}`,
            { cause: opening.lastError ?? signal.reason },
          ),
        )
      }
    })
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    try {
      return await Promise.race([opening.promise, aborted])
    } finally {
      signal.removeEventListener('abort', abort)
      // Nobody needs the link any more: do not go on knocking.
      if (--opening.waiters === 0 && this.#opening === opening) opening.stop.abort()
    }
  }

  own(part: { stop(): Promise<void> }): () => void {
    this.#parts.add(part)
    return () => this.#parts.delete(part)
  }

  /** Stops its consumers, then its producers, then the link. Safe to call twice and at any time. */
  close(): Promise<void> {
    return (this.#ending ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#parts].map((part) => part.stop()))
    this.#closed.abort()
    this.#opening?.stop.abort()
    const session = this.#session
    this.#session = undefined
    try {
      await session?.close()
    } finally {
      this.signals.emit('closed', {})
    }
  }

  #check(): void {
    if (!this.#closed.signal.aborted) return
    throw new MessagingError('MESSAGING_CONNECTION_CLOSED', 'fatal', 'this connection is closed')
  }

  #open(): Opening {
    const stop = new AbortController()
    const promise = retry(
      async () => {
        try {
          return this.#adopt(await this.#attempt())
        } catch (error) {
          // What worked once is worth waiting for: a broker that restarts refuses logins for a while.
          if (this.#wasConnected && MessagingError.is(error) && error.fault === 'fatal') {
            throw new MessagingError(error.code, 'connection', error.message, { cause: error })
          }
          throw error
        }
      },
      reconnectPolicy,
      this.ambient,
      {
        signal: stop.signal,
        onFailure: (error, attempt) => {
          opening.lastError = error
          this.signals.emit('retrying', { error, attempt })
        },
      },
    )
      .catch((error: unknown) => {
        throw asMessagingError(error, 'MESSAGING_ABORTED', 'connection', 'connecting')
      })
      .finally(() => (this.#opening = undefined))
    promise.catch(() => undefined)
    const opening: Opening = { promise, stop, waiters: 0, lastError: undefined }
    return opening
  }

  async #attempt(): Promise<Session> {
    const target = this.#targets[this.#order.next().value]!
    const transport = await this.#transport(target)
    checkTransportOptions(transport, target)
    const credentials = await this.#config.credentials?.()
    const session = await transport.connect({
      target: { ...target, ...(credentials && defined({ ...credentials })) },
      ambient: this.ambient,
      timeoutMs: this.#config.connectTimeoutMs,
      heartbeatSeconds: this.#config.heartbeatSeconds,
      clientName: this.#config.clientName,
      onBlocked: (reason) => this.#onBlocked(reason),
      ...(this.#lost && { resumes: this.#lost }),
    })
    this.signals.emit('connected', {
      url: target.masked,
      server: session.server,
      recovered: this.#wasConnected,
    })
    return session
  }

  async #transport(target: Target): Promise<Transport> {
    return await this.#entries[target.scheme]!.load()
  }

  #onBlocked(reason: string | undefined): void {
    if (this.#isBlocked === (reason !== undefined)) return
    this.#isBlocked = reason !== undefined
    if (reason === undefined) this.signals.emit('unblocked', {})
    else this.signals.emit('blocked', { reason })
  }

  #adopt(session: Session): Session {
    const current = this.#session
    if (current || this.#closed.signal.aborted) {
      // Nobody would ever close it: another caller's attempt was faster, or the connection is closed.
      session.close().catch(() => undefined)
      this.#check()
      if (current) return current
    }
    this.#session = session
    this.#lost = undefined
    if (this.#wasConnected) this.counters.add('reconnected')
    this.#wasConnected = true
    void session.closed.then((error) => {
      if (this.#session !== session) return
      this.#session = undefined
      this.#onBlocked(undefined)
      if (!error) return
      this.#lost = session
      this.signals.emit('disconnected', { error })
    })
    return session
  }
}

/** Without the names whose value was left out. */
function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
