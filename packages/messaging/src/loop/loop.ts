/**
 * A worker in a few lines: consumes queues, runs a handler for each message, at most so many at once, and
 * settles by how that ended. Kombu: `ConsumerMixin`.
 */
import { Consumer, type ConsumerOptions } from '../consumer/consumer.ts'
import { sleep } from '../kernel/clock.ts'
import { messageOf, MessagingError } from '../kernel/errors.ts'
import type { Delivery, Outcome } from '../message/delivery.ts'
import type { Link } from '../transport/link.ts'

export interface LoopContext {
  /** Aborted when the loop stops and its grace time is over. */
  readonly signal: AbortSignal
}

/**
 * Works on one message. Returning acknowledges, unless the handler settled the delivery itself or returns
 * another outcome; throwing asks `onError`.
 */
export type LoopHandler = (
  value: unknown,
  delivery: Delivery,
  context: LoopContext,
) => Outcome | void | Promise<Outcome | void>

export interface LoopOptions extends Omit<ConsumerOptions, 'onDeliveries' | 'queues'> {
  /** Handlers that run at once; default 1. The prefetch is as large unless it is given. */
  readonly concurrency?: number
  /** Messages after which the loop ends. */
  readonly limit?: number
  /** Seconds without a message after which the loop ends; default never. */
  readonly idleTimeout?: number
  /** Seconds that running handlers get when the loop stops, before their signal aborts; default 10. */
  readonly grace?: number
  /** Ends the loop, as `stop` does. */
  readonly signal?: AbortSignal
  /** What becomes of a message whose handler threw; default once `requeue`, then `drop`, with a warning. */
  readonly onError?: (error: unknown, delivery: Delivery) => Outcome
  /** What becomes of a message that cannot be decoded; default `drop`, with a warning. */
  readonly onDecodeError?: (error: MessagingError, delivery: Delivery) => Outcome
  /** Consuming, for the first time or again. */
  readonly onReady?: (recovered: boolean) => void
  /** Not consuming for now; it goes on by itself. */
  readonly onInterrupted?: (error: MessagingError) => void
}

export class Loop {
  readonly #link: Link
  readonly #handler: LoopHandler
  readonly #options: LoopOptions
  readonly #consumer: Consumer
  readonly #disown: () => void
  readonly #concurrency: number
  readonly #abort = new AbortController()
  readonly #waiting: Delivery[] = []
  #running = 0
  #begun = 0
  #cancelIdle: (() => void) | undefined
  #settled: (() => void) | undefined
  #finish!: (error?: unknown) => void
  readonly #finished: Promise<void>
  #isStarted = false
  #stopping: Promise<void> | undefined

  constructor(
    link: Link,
    queues: ConsumerOptions['queues'],
    handler: LoopHandler,
    options: LoopOptions = {},
  ) {
    const { concurrency = 1, prefetch = concurrency } = options
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new MessagingError(
        'MESSAGING_OPTION_INVALID',
        'fatal',
        `concurrency must be a whole number of at least 1, found ${JSON.stringify(concurrency)}`,
      )
    }
    this.#link = link
    this.#handler = handler
    this.#options = options
    this.#concurrency = concurrency
    this.#finished = new Promise((resolve, reject) => {
      this.#finish = (error) => (error === undefined ? resolve() : reject(error))
    })
    // Told by `run`; a loop that nobody waits for must not end the process.
    this.#finished.catch(() => undefined)
    this.#consumer = new Consumer(link, {
      ...options,
      prefetch,
      queues,
      onDeliveries: (deliveries) => {
        this.#waiting.push(...deliveries)
        this.#next()
      },
    })
    this.#consumer.signals.on('ready', ({ recovered }) => options.onReady?.(recovered))
    this.#consumer.signals.on('interrupted', ({ error }) => {
      this.#giveBack()
      options.onInterrupted?.(error)
    })
    this.#disown = link.own({ stop: () => this.stop() })
  }

  /** Handlers at work. */
  get running(): number {
    return this.#running
  }

  get isReady(): boolean {
    return this.#consumer.isReady
  }

  /**
   * Resolves when it was stopped, or its limit or idle time is reached; rejects when the broker refuses for
   * good what it is asked.
   */
  run(): Promise<void> {
    if (!this.#isStarted) void this.#start()
    return this.#finished
  }

  /**
   * Fetches nothing more, gives back what was not begun, waits for the handlers at most their grace time,
   * aborts them, and gives back what they leave. Safe to call twice.
   */
  stop(graceSeconds = this.#options.grace ?? 10): Promise<void> {
    return (this.#stopping ??= this.#stop(graceSeconds))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #start(): Promise<void> {
    this.#isStarted = true
    // It finishes with that.
    if (this.#stopping) return
    const { signal } = this.#options
    const abort = (): void => void this.stop()
    if (signal?.aborted) return abort()
    signal?.addEventListener('abort', abort, { once: true })
    void this.#finished.then(
      () => signal?.removeEventListener('abort', abort),
      () => signal?.removeEventListener('abort', abort),
    )
    try {
      await this.#consumer.start()
      this.#armIdle()
    } catch (error) {
      await this.stop(0)
      this.#finish(error)
    }
  }

  async #stop(graceSeconds: number): Promise<void> {
    const { clock } = this.#link.ambient
    this.#cancelIdle?.()
    this.#disown()
    await this.#consumer.cancel()
    this.#giveBack()
    if (this.#running > 0) {
      const idle = new Promise<void>((resolve) => (this.#settled = resolve))
      const over = new AbortController()
      await Promise.race([idle, sleep(clock, graceSeconds * 1000, over.signal)])
      this.#abort.abort()
      // Those that heed their signal get a moment to say what becomes of their message.
      await Promise.race([idle, sleep(clock, 100, over.signal)])
      over.abort()
    }
    this.#abort.abort()
    await this.#consumer.stop()
    // After a failed start it is the failure that counts.
    setImmediate(() => this.#finish())
  }

  #giveBack(): void {
    for (const delivery of this.#waiting.splice(0)) {
      // One that came without the need to settle is gone at the broker: it is worked on all the same.
      if (delivery.isSettled && !this.#stopping) this.#waiting.push(delivery)
      else if (!delivery.isSettled) delivery.settle('restore').catch(() => undefined)
    }
  }

  #next(): void {
    const { limit = Infinity } = this.#options
    while (!this.#stopping && this.#running < this.#concurrency && this.#begun < limit) {
      const delivery = this.#waiting.shift()
      if (!delivery) break
      this.#cancelIdle?.()
      this.#begun++
      this.#running++
      void this.#work(delivery).finally(() => {
        this.#running--
        if (this.#running === 0) {
          this.#settled?.()
          this.#armIdle()
        }
        if (this.#begun >= limit && this.#running === 0) void this.stop()
        else this.#next()
      })
    }
  }

  #armIdle(): void {
    const { idleTimeout } = this.#options
    if (idleTimeout === undefined || this.#stopping || this.#running > 0) return
    this.#cancelIdle?.()
    this.#cancelIdle = this.#link.ambient.clock.after(idleTimeout * 1000, () => void this.stop())
  }

  /** Never rejects. */
  async #work(delivery: Delivery): Promise<void> {
    let outcome: Outcome
    try {
      outcome = await this.#handle(delivery)
    } catch (error) {
      this.#warn('what a failed handler is to be followed by failed itself', delivery, error)
      outcome = 'requeue'
    }
    if (delivery.isSettled) return
    await delivery.settle(outcome).catch((error: unknown) => {
      this.#warn('a message could not be settled', delivery, error)
    })
  }

  async #handle(delivery: Delivery): Promise<Outcome> {
    let value: unknown
    try {
      value = delivery.value
    } catch (error) {
      this.#warn('a message cannot be decoded', delivery, error)
      return this.#options.onDecodeError?.(error as MessagingError, delivery) ?? 'drop'
    }
    try {
      const context = { signal: this.#abort.signal }
      const work = async (): Promise<Outcome> =>
        (await this.#handler(value, delivery, context)) ?? 'ack'
      const { tracing } = this.#link
      return await (tracing ? tracing.processing(delivery, work) : work())
    } catch (error) {
      // Cut short by us: not its fault, and next in line again.
      if (this.#abort.signal.aborted) return 'restore'
      if (this.#options.onError) return this.#options.onError(error, delivery)
      this.#warn('a handler failed', delivery, error)
      return delivery.origin.redelivered ? 'drop' : 'requeue'
    }
  }

  #warn(text: string, { origin }: Delivery, error: unknown): void {
    const fields = { queue: origin.queue, reason: messageOf(error) }
    this.#link.ambient.log.warn(text, fields)
  }
}
