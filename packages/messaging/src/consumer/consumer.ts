/**
 * Consumes queues for as long as it runs: declares them, sets the prefetch, hands deliveries over, and
 * does all of it again on a new channel after any fault. Deliveries of a lost channel are still to be
 * settled: see `Delivery`.
 */
import type { BodyCodec } from '../codec/body.ts'
import type { Counters } from '../kernel/counters.ts'
import { asMessagingError, messageOf, MessagingError } from '../kernel/errors.ts'
import { sleep } from '../kernel/clock.ts'
import { Signals } from '../kernel/signals.ts'
import type { Delivery, Outcome } from '../message/delivery.ts'
import type { Arguments } from '../topology/exchange.ts'
import { queue as makeQueue, type Queue } from '../topology/queue.ts'
import type { Channel } from '../transport/channel.ts'
import { declareQueue } from '../transport/declare.ts'
import type { Link } from '../transport/link.ts'

export interface ConsumerOptions {
  readonly queues: readonly (Queue | string)[]
  /** Deliveries that may be unsettled at once; default 100, 0 for no limit. */
  readonly prefetch?: number
  /** The broker forgets a message as it hands it out; default false. */
  readonly noAck?: boolean
  readonly exclusive?: boolean
  /** Higher ones are served first, where the broker can (`consumerPriority`). */
  readonly priority?: number
  /** Arguments for the broker; those of the queue's `consumerArguments` are added. */
  readonly arguments?: Arguments
  /** Content that may be decoded, by serializer name or content type; default the connection's. */
  readonly accept?: readonly string[]
  /** Declare the queues, their exchanges and bindings first; default true. */
  readonly declare?: boolean
  readonly tagPrefix?: string
  /** Called with what arrived together. It must settle each delivery, now or later. */
  readonly onDeliveries: (deliveries: Delivery[]) => void
}

/** The consuming of one queue on one channel. */
interface Begun {
  readonly tag: string
  readonly done: Promise<void>
}

export interface ConsumerSignals {
  /** Consuming, for the first time or again; `recovered` tells which. */
  ready: { readonly recovered: boolean; readonly queues: readonly string[] }
  /** Not consuming any more, for this reason; it goes on by itself. */
  interrupted: { readonly error: MessagingError }
  /** Given up: `error` cannot be mended by trying again. */
  failed: { readonly error: MessagingError }
}

const pauseMs = { first: 20, longest: 1000 }

export class Consumer {
  readonly signals = new Signals<ConsumerSignals>()
  readonly #link: Link
  readonly #options: ConsumerOptions
  readonly #codec: BodyCodec
  readonly #decode: (message: Delivery['message']) => unknown
  readonly #count: (outcome: Outcome) => void
  readonly #queues = new Map<string, Queue>()
  readonly #stop = new AbortController()
  readonly #disown: () => void
  #prefetch: number
  #isPaused = false
  #channel: Channel | undefined
  #tags = new Map<string, string>()
  /** As the broker knows them. */
  readonly #names = new Map<string, string>()
  /** Queues whose consuming began on the current channel. */
  #begun = new Map<string, Begun>()
  #run: Promise<void> | undefined
  #started: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  /** The last of what waits for its codec to be loaded. */
  #loading: Promise<void> | undefined

  constructor(link: Link, options: ConsumerOptions) {
    this.#link = link
    this.#options = options
    this.#codec = options.accept ? link.codec.accepting(options.accept) : link.codec
    this.#decode = (message) => this.#codec.decode(message)
    this.#count = (outcome) => countSettled(link.counters, outcome)
    this.#prefetch = options.prefetch ?? 100
    for (const queue of options.queues) this.#remember(queue)
    this.#disown = link.own({ stop: () => this.stop() })
  }

  /** True while deliveries can arrive. */
  get isReady(): boolean {
    return !this.#isPaused && this.#channel !== undefined && this.#tags.size === this.#queues.size
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** True when this queue is consumed at the moment. */
  consumesFrom(queue: Queue | string): boolean {
    return this.#tags.has(typeof queue === 'string' ? queue : queue.name)
  }

  /** The name the broker gave to a queue declared without one, while it is consumed. */
  nameOf(queue: Queue): string | undefined {
    return this.#names.get(queue.name)
  }

  get queues(): readonly Queue[] {
    return [...this.#queues.values()]
  }

  /**
   * Resolves when it consumes for the first time; waits for the broker if it must. Rejects when the
   * broker refuses for good (fault `fatal`) or refuses the declarations.
   */
  start(): Promise<void> {
    if (this.#started) return this.#started
    if (this.#stop.signal.aborted) {
      const text = 'this consumer was stopped'
      return Promise.reject(new MessagingError('MESSAGING_CONNECTION_CLOSED', 'fatal', text))
    }
    this.#started = new Promise<void>((resolve, reject) => {
      this.signals.on('ready', () => resolve())
      this.signals.on('failed', ({ error }) => reject(error))
      this.#stop.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    this.#run = this.#loop()
    return this.#started
  }

  /** Changes the window of the running channel and of those that follow. */
  async setPrefetch(count: number): Promise<void> {
    this.#prefetch = count
    await this.#channel?.prefetch(count)
  }

  /**
   * Consumes one more queue; resolves when it does, or at once while there is no link. Rejects when the
   * broker refuses it; the others go on without it then.
   */
  async addQueue(queue: Queue | string): Promise<void> {
    const added = this.#remember(queue)
    if (!this.#channel || this.#isPaused) return
    try {
      await this.#begin(this.#channel, added)
    } catch (error) {
      const isCurrent = this.#queues.get(added.name) === added
      if (isCurrent && MessagingError.is(error) && isRefusal(error)) this.#queues.delete(added.name)
      throw error
    }
  }

  /** Consumes one queue less; deliveries that are out stay to be settled. */
  async removeQueue(name: string): Promise<void> {
    this.#queues.delete(name)
    await this.#unsubscribe([name])
  }

  /** Fetches nothing until `resume`; what is out stays to be settled, and queues may be added meanwhile. */
  async pause(): Promise<void> {
    if (this.#isPaused) return
    this.#isPaused = true
    // A channel that breaks under it delivers nothing more either.
    await this.#unsubscribe([...this.#begun.keys()]).catch(() => undefined)
  }

  /** Goes on after `pause`; resolves when it consumes again, or at once while there is no link. */
  async resume(): Promise<void> {
    if (!this.#isPaused) return
    this.#isPaused = false
    if (this.#channel) await this.#beginAll(this.#channel)
  }

  /** Gives everything that is out back to the broker, which hands it out again. */
  async recover(): Promise<void> {
    await this.#channel?.recover()
  }

  /** Removes what waits in its queues; resolves with the number of messages. */
  async purge(): Promise<number> {
    let count = 0
    for (const name of this.#queues.keys()) count += (await this.#channel?.purge(name)) ?? 0
    return count
  }

  /** Fetches nothing more; what is out can still be settled. `stop` ends it. */
  async cancel(): Promise<void> {
    this.#queues.clear()
    await this.#unsubscribe([...this.#begun.keys()]).catch(() => undefined)
  }

  /** Ends: cancels, sends what was settled, gives the rest back to the broker. Safe to call twice. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#end())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #end(): Promise<void> {
    this.#stop.abort()
    this.#disown()
    // One that breaks under it has given everything back.
    await this.#channel?.close().catch(() => undefined)
    await this.#run
  }

  #remember(queue: Queue | string): Queue {
    const full = typeof queue === 'string' ? makeQueue(queue) : queue
    this.#queues.set(full.name, full)
    return full
  }

  async #loop(): Promise<void> {
    const { clock } = this.#link.ambient
    let recovered = false
    let pause = pauseMs.first
    while (!this.#stop.signal.aborted) {
      let error: MessagingError | undefined
      try {
        const { channel } = await this.#link.openChannel(this.#stop.signal)
        if (this.#stop.signal.aborted) return await channel.close()
        this.#channel = channel
        await this.#setUp(channel)
        this.signals.emit('ready', { recovered, queues: [...this.#queues.keys()] })
        recovered = true
        const sinceMs = clock.monotonic()
        error = await channel.closed
        // One that falls as soon as it stands is no recovery: trying again at once would go on for ever.
        if (clock.monotonic() - sinceMs > pauseMs.longest) pause = pauseMs.first
      } catch (thrown) {
        error = asMessagingError(thrown, 'MESSAGING_CHANNEL_CLOSED', 'channel', 'consuming')
        await this.#channel?.close().catch(() => undefined)
        // Stopped with its connection it would be, unless it was made while that closed.
        const isOver = error.code === 'MESSAGING_CONNECTION_CLOSED' && error.fault === 'fatal'
        if (isOver || (!recovered && isRefusal(error))) {
          this.#forgetChannel()
          this.#disown()
          if (!this.#stop.signal.aborted) this.signals.emit('failed', { error })
          return
        }
      }
      this.#forgetChannel()
      if (this.#stop.signal.aborted) return
      this.signals.emit('interrupted', {
        error:
          error ?? new MessagingError('MESSAGING_CHANNEL_CLOSED', 'channel', 'the channel ended'),
      })
      await sleep(clock, pause, this.#stop.signal)
      pause = Math.min(pause * 2, pauseMs.longest)
    }
  }

  #forgetChannel(): void {
    this.#channel = undefined
    this.#tags.clear()
    this.#names.clear()
    this.#begun.clear()
  }

  async #setUp(channel: Channel): Promise<void> {
    await channel.prefetch(this.#prefetch)
    await this.#beginAll(channel)
  }

  async #beginAll(channel: Channel): Promise<void> {
    for (const queue of this.#queues.values()) {
      // Paused, or on another channel already.
      if (this.#isPaused || this.#channel !== channel) return
      await this.#begin(channel, queue)
    }
  }

  /** Once for each queue and channel: `addQueue` may come while everything is set up. */
  #begin(channel: Channel, queue: Queue): Promise<void> {
    const before = this.#begun.get(queue.name)
    if (before) return before.done
    const tag = `${this.#options.tagPrefix ?? ''}${this.#link.ambient.nextId()}`
    const isWanted = (): boolean => this.#begun.get(queue.name) === begun
    const begun: Begun = {
      tag,
      // In a moment, when it is known as begun.
      done: Promise.resolve().then(() => this.#consume(channel, queue, tag, isWanted)),
    }
    this.#begun.set(queue.name, begun)
    begun.done.catch(() => {
      if (!isWanted()) return
      this.#begun.delete(queue.name)
      this.#tags.delete(queue.name)
    })
    return begun.done
  }

  /** What is under way ends as well: at its next step, or as soon as the broker has answered. */
  async #unsubscribe(names: readonly string[]): Promise<void> {
    const channel = this.#channel
    const ending = names.flatMap((name) => {
      const begun = this.#begun.get(name)
      this.#begun.delete(name)
      return this.#tags.delete(name) && begun ? [begun] : []
    })
    const ended = await Promise.allSettled(
      ending.map(async ({ tag, done }) => {
        await done.catch(() => undefined)
        await channel?.cancel(tag)
      }),
    )
    for (const end of ended) if (end.status === 'rejected') throw end.reason
  }

  async #consume(
    channel: Channel,
    queue: Queue,
    tag: string,
    isWanted: () => boolean,
  ): Promise<void> {
    if (!isWanted()) return
    const name = (this.#options.declare ?? true) ? await declareQueue(channel, queue) : queue.name
    const { noAck, exclusive, priority } = this.#options
    const args = { ...queue.consumerArguments, ...this.#options.arguments }
    // Removed, cancelled or paused while it was declared.
    if (!isWanted()) return
    this.#tags.set(queue.name, tag)
    this.#names.set(queue.name, name)
    await channel.consume(
      name,
      {
        tag,
        ...(noAck !== undefined && { noAck }),
        ...(exclusive !== undefined && { exclusive }),
        ...(priority !== undefined && { priority }),
        ...(Object.keys(args).length > 0 && { arguments: args }),
      },
      (deliveries) => {
        this.#prepare(deliveries)
        this.#handOver(channel, deliveries)
      },
    )
  }

  #prepare(deliveries: readonly Delivery[]): void {
    const { counters } = this.#link
    let redelivered = 0
    for (const delivery of deliveries) {
      delivery.useDecoder(this.#decode).whenSettled(this.#count)
      if (delivery.origin.redelivered) redelivered++
    }
    counters.add('delivered', deliveries.length)
    counters.add('redelivered', redelivered)
  }

  /** At once, unless a codec must be loaded first; then all that follows waits, too, to keep its order. */
  #handOver(channel: Channel, deliveries: Delivery[]): void {
    let loading: Promise<void>[] | undefined
    for (const { message } of deliveries) {
      const one = this.#codec.prepareFor(message)
      if (one) (loading ??= []).push(one)
    }
    if (!loading && !this.#loading) return this.#options.onDeliveries(deliveries)
    // What could not be loaded is said by `delivery.value`.
    const turn = Promise.allSettled([this.#loading, ...(loading ?? [])]).then(() => {
      if (this.#loading === turn) this.#loading = undefined
      if (this.#channel === channel) return this.#options.onDeliveries(deliveries)
      // The channel fell meanwhile: the broker has them again or is told to, but for those it forgot.
      const forgotten = deliveries.filter((one) => one.isSettled)
      for (const one of deliveries) if (!one.isSettled) one.settle('restore').catch(() => undefined)
      if (forgotten.length > 0) this.#options.onDeliveries(forgotten)
    })
    // As when it fails at once: the channel falls, and what it held goes back.
    turn.catch((error: unknown) => {
      const fields = { reason: messageOf(error) }
      this.#link.ambient.log.error('the receiver of deliveries failed', fields)
      channel.close().catch(() => undefined)
    })
    this.#loading = turn
  }
}

function countSettled(counters: Counters, outcome: Outcome): void {
  counters.add(outcome === 'ack' ? 'acked' : outcome === 'drop' ? 'dropped' : 'requeued')
}

/** What trying again cannot mend, when it happens before anything worked. */
function isRefusal(error: MessagingError): boolean {
  return error.fault === 'fatal' || refusals.has(error.code)
}

const refusals = new Set<MessagingError['code']>([
  'MESSAGING_DECLARATION_REFUSED',
  'MESSAGING_QUEUE_NOT_FOUND',
  'MESSAGING_NOT_SUPPORTED',
])
