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
import { withDeadline } from '../kernel/deadline.ts'
import { MessagingError } from '../kernel/errors.ts'
import { Signals } from '../kernel/signals.ts'
import { Loop, type LoopHandler, type LoopOptions } from '../loop/loop.ts'
import { Mailbox, type MailboxOptions } from '../mailbox/mailbox.ts'
import type { Delivery } from '../message/delivery.ts'
import { Producer, type ProducerOptions } from '../producer/producer.ts'
import { serializers } from '../serializers/index.ts'
import { SimpleBuffer, SimpleQueue, type SimpleQueueOptions } from '../simple/simple-queue.ts'
import type { Queue } from '../topology/queue.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { Capabilities } from '../transport/capabilities.ts'
import type { Channel } from '../transport/channel.ts'
import type { Link, Purpose } from '../transport/link.ts'
import type { Session, Target, Transport, TransportEntry } from '../transport/transport.ts'
import { transports as shelf } from '../transports/index.ts'
import { failover } from './failover.ts'
import { checkTransportOptions } from './check-options.ts'
import { ensure, type EnsureOptions } from './ensure.ts'
import { Keeper } from './keeper.ts'
import {
  connectionConfig,
  withUrlOptions,
  type ConnectionConfig,
  type ConnectionOptions,
  type Credentials,
} from './options.ts'
import { gatherTargets, parseUrl, splitUrls } from './url.ts'

export interface ConnectionSignals {
  /** A link is open; `server` is the broker's name and version. */
  connected: {
    readonly url: string
    readonly server: string
    readonly recovered: boolean
    /** `publish`: the second link, on brokers where publishing has one of its own. */
    readonly purpose: Purpose
  }
  /** The link is gone; it comes back by itself while anyone needs it. */
  disconnected: { readonly error: MessagingError; readonly purpose: Purpose }
  /** An attempt to connect failed; the next one follows. */
  retrying: { readonly error: Error; readonly attempt: number; readonly purpose: Purpose }
  /** The broker takes no messages for now, for the reason it gives: publishes wait for their deadline. */
  blocked: { readonly reason: string }
  unblocked: object
  /** Something was done so many times; see `counts`. For metrics. */
  counted: { readonly what: keyof Counts; readonly count: number }
  closed: object
}

export interface ConnectionInfo {
  /** Scheme of the first URL. */
  readonly transport: string
  readonly hostname: string
  readonly port: number | undefined
  readonly virtualHost: string
  readonly userid: string | undefined
  readonly urls: readonly string[]
  readonly state: ConnectionState
  readonly server: string | undefined
  readonly heartbeatSeconds: number
  readonly clientName: string
}

export type ConnectionState = 'idle' | 'connecting' | 'connected' | 'closed'

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
  readonly #main: Keeper
  /** Where a broker that is short of memory stops whoever publishes, publishing has a link of its own. */
  readonly #publishing: Keeper
  #ending: Promise<void> | undefined

  /** Throws `MESSAGING_URL_INVALID` or `MESSAGING_OPTION_INVALID`; connects to nothing yet. */
  constructor(urls: string | readonly string[], options: ConnectionOptions = {}) {
    this.#entries = options.transports ?? shelf
    const targets = splitUrls(urls).map((url) => {
      const target = parseUrl(
        url,
        Object.keys(this.#entries),
        options.transportOptions,
        (scheme) => this.#entries[scheme]?.defaultPort,
      )
      const { username, password, virtualHost, port } = options
      // The path of a socket is that of its file.
      const path = target.scheme.endsWith('+socket') ? undefined : virtualHost
      const own = { ...target.options, ...(virtualHost !== undefined && { virtualHost }) }
      const all = path === virtualHost ? target : { ...target, options: own }
      return { ...all, ...defined({ username, password, path, port }) }
    })
    this.#targets = gatherTargets(targets, (scheme) => this.#entries[scheme]?.gathers === true)
    this.#config = connectionConfig(withUrlOptions(options, this.#targets[0]!.options))
    this.#order = failover(this.#config.failover)(this.#targets.length, this.ambient.random)
    this.#main = this.#keeper('any')
    const apart = this.#targets.some(({ scheme }) => this.#entries[scheme]!.publishesApart)
    this.#publishing = apart ? this.#keeper('publish') : this.#main
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

  /** For those who settle deliveries themselves: `tracing?.processing(delivery, work)`. */
  get tracing(): Tracing | undefined {
    return this.#config.tracing
  }

  get publishTimeoutMs(): number {
    return this.#config.publishTimeoutMs
  }

  get publishBuffer(): number {
    return this.#config.publishBuffer
  }

  get state(): ConnectionState {
    if (this.#closed.signal.aborted) return 'closed'
    if (this.#keepers.some(({ current }) => current)) return 'connected'
    return this.#keepers.some(({ isOpening }) => isOpening) ? 'connecting' : 'idle'
  }

  /** True while messages can be published and consumed: connected, and not blocked by the broker. */
  get isReady(): boolean {
    const used = this.#keepers.filter(({ wasConnected }) => wasConnected)
    return used.length > 0 && used.every(({ current }) => current) && !this.isBlocked
  }

  /** True while the broker takes no messages, because its memory or disk is short. */
  get isBlocked(): boolean {
    return this.#keepers.some(({ blocked }) => blocked !== undefined)
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
    return this.#keepers.find(({ current }) => current)?.current?.server
  }

  /**
   * Connects now: each URL once. Resolves when a link is open; rejects with the last URL's error.
   */
  async connect(): Promise<this> {
    this.#check()
    await this.#main.connect(this.#targets.length, this.#config.connectTimeoutMs)
    return this
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

  /**
   * Runs `work` on a channel, again on a new one when the link or the channel breaks under it: it must do
   * no harm twice. Rejects with what cannot be mended by trying again, or with the last fault when `retries`
   * (default no limit) or `timeout` (seconds, default 30) is used up. Kombu: `ensure`, `autoretry`.
   */
  async ensure<T>(work: (channel: Channel) => Promise<T>, options: EnsureOptions = {}): Promise<T> {
    this.#check()
    return await ensure(this, work, options)
  }

  /** What this connection is, for banners and reports; passwords masked. */
  info(): ConnectionInfo {
    const { server, state } = this
    const { scheme, host, port, path, username } = this.#targets[0]!
    const { heartbeatSeconds, clientName } = this.#config
    return {
      transport: scheme,
      hostname: host,
      port,
      virtualHost: path,
      userid: username,
      urls: this.urls,
      state,
      server,
      heartbeatSeconds,
      clientName,
    }
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

  async openChannel(
    signal: AbortSignal,
    purpose: Purpose = 'any',
  ): Promise<{ channel: Channel; session: Session }> {
    this.#check()
    const keeper = purpose === 'publish' ? this.#publishing : this.#main
    const session = await keeper.session(signal)
    return { channel: await session.openChannel(), session }
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
    const ended = await Promise.allSettled(this.#keepers.map((keeper) => keeper.close()))
    this.signals.emit('closed', {})
    for (const end of ended) if (end.status === 'rejected') throw end.reason
  }

  get #keepers(): readonly Keeper[] {
    return this.#main === this.#publishing ? [this.#main] : [this.#main, this.#publishing]
  }

  #check(): void {
    if (!this.#closed.signal.aborted) return
    throw new MessagingError('MESSAGING_CONNECTION_CLOSED', 'fatal', 'this connection is closed')
  }

  #keeper(purpose: Purpose): Keeper {
    return new Keeper({
      ambient: this.ambient,
      urls: this.urls,
      connect: (previous, onBlocked) => this.#connectOnce(purpose, previous, onBlocked),
      onConnected: ({ server }, url, recovered) => {
        if (recovered) this.counters.add('reconnected')
        this.signals.emit('connected', { url, server, recovered, purpose })
      },
      onLost: (error) => this.signals.emit('disconnected', { error, purpose }),
      onRetrying: (error, attempt) => this.signals.emit('retrying', { error, attempt, purpose }),
      onBlocked: (reason) => {
        if (reason === undefined) this.signals.emit('unblocked', {})
        else this.signals.emit('blocked', { reason })
      },
    })
  }

  async #connectOnce(
    purpose: Purpose,
    previous: Session | undefined,
    onBlocked: (reason: string | undefined) => void,
  ): Promise<{ session: Session; url: string }> {
    const target = this.#targets[this.#order.next().value]!
    const transport = await this.#transport(target)
    checkTransportOptions(transport, target)
    const credentials = await this.#credentials()
    const { clientName } = this.#config
    const session = await transport.connect({
      target: { ...target, ...(credentials && defined({ ...credentials })) },
      ambient: this.ambient,
      timeoutMs: this.#config.connectTimeoutMs,
      heartbeatSeconds: this.#config.heartbeatSeconds,
      clientName: purpose === 'publish' ? `${clientName} (publishing)` : clientName,
      onBlocked,
      ...(previous && { resumes: previous }),
    })
    return { session, url: target.masked }
  }

  /** Whoever keeps them may be as far away as the broker. */
  async #credentials(): Promise<Credentials | undefined> {
    const { credentials, connectTimeoutMs, ambient } = this.#config
    if (!credentials) return undefined
    const asking = (async () => await credentials())()
    return await withDeadline(asking, connectTimeoutMs, ambient.clock, 'asking for credentials')
  }

  async #transport(target: Target): Promise<Transport> {
    return await this.#entries[target.scheme]!.load()
  }
}

/** Without the names whose value was left out. */
function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
