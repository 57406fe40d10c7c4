/**
 * Sends messages: encodes, and hands everything published in one turn to the broker together. Every publish
 * settles by its deadline: confirmed, or a typed error.
 *
 * Within the deadline a publish is repeated when the link breaks under it. The broker may then have it
 * twice (at least once), but never not at all.
 */
import type { EncodedBody } from '../codec/body.ts'
import { asMessagingError, MessagingError } from '../kernel/errors.ts'
import { TurnBatch } from '../kernel/turn-batch.ts'
import type { Exchange } from '../topology/exchange.ts'
import type { Queue } from '../topology/queue.ts'
import type { Publication, PublishFailures } from '../transport/channel.ts'
import type { Link } from '../transport/link.ts'
import { propertiesOf, type PublishOptions } from './options.ts'
import { Sender, type Waiting } from './sender.ts'

export interface ProducerOptions {
  /** Where publishes go that name no exchange; declared when it is more than a name. */
  readonly exchange?: Exchange | string
  readonly routingKey?: string
  /** Serializer by name; default json. */
  readonly serializer?: string
  /** Compressor by name; default none. */
  readonly compression?: string
  /** Declare exchanges that are given as more than a name; default true. */
  readonly declare?: boolean
}

/** What became of many sends: everything that is not among the failures is stored by the broker. */
export interface SendReport {
  /** How many the broker has confirmed. */
  readonly confirmed: number
  /**
   * Those it has not, by their place: refused ones, which it does not have, and those of which nothing is
   * known (`MESSAGING_PUBLISH_TIMEOUT`, or `MESSAGING_CONNECTION_LOST` without `retry`).
   */
  readonly failures: ReadonlyMap<number, MessagingError>
}

/** Values encoded at once by `sendMany`, so that the memory for their bodies has a bound. */
const chunkSize = 1000

export class Producer {
  readonly #link: Link
  readonly #options: ProducerOptions
  readonly #sender: Sender
  readonly #batch: TurnBatch<Waiting, PublishFailures>
  readonly #disown: () => void
  #unfinished = 0
  #idle: (() => void) | undefined
  #stopping: Promise<void> | undefined

  constructor(link: Link, options: ProducerOptions = {}) {
    this.#link = link
    this.#options = options
    this.#sender = new Sender(link)
    this.#batch = new TurnBatch((waiting) => this.#sender.send(waiting, link.publishTimeoutMs))
    this.#disown = link.own({ stop: () => this.close() })
  }

  /**
   * Encodes and publishes a value. Rejects with a `MessagingError`: `MESSAGING_ENCODE_FAILED`,
   * `MESSAGING_PUBLISH_TIMEOUT`, `MESSAGING_PUBLISH_REFUSED`, `MESSAGING_UNROUTABLE`, ….
   */
  async publish(value: unknown, options: PublishOptions = {}): Promise<void> {
    // Under way from now on: `close` waits for it, also while a codec is loaded.
    this.#admit(1)
    try {
      const loading = this.#prepare(options)
      if (loading) await loading.catch(() => undefined)
      const { waiting, end } = this.#traced(this.#waiting(value, options))
      try {
        await this.#publishOne(waiting, options.timeout, options.retry)
        end?.()
      } catch (error) {
        end?.(error)
        throw error
      }
    } finally {
      this.#release(1)
    }
  }

  /**
   * Encodes and publishes many values with the same options, in order. Never rejects for what the broker
   * did or did not do: the report says for each value whether it is stored.
   */
  async sendMany(values: Iterable<unknown>, options: PublishOptions = {}): Promise<SendReport> {
    const failures = new Map<number, MessagingError>()
    await this.#prepare(options)?.catch(() => undefined)
    let total = 0
    for (const chunk of chunksOf(values, Math.min(chunkSize, this.#link.publishBuffer))) {
      const first = total
      total += chunk.length
      const places: number[] = []
      const waiting: Waiting[] = []
      const ends: (((error?: unknown) => void) | undefined)[] = []
      for (const [i, value] of chunk.entries()) {
        try {
          const traced = this.#traced(this.#waiting(value, options))
          waiting.push(traced.waiting)
          ends.push(traced.end)
          places.push(first + i)
        } catch (error) {
          const what = 'encoding a value'
          failures.set(
            first + i,
            asMessagingError(error, 'MESSAGING_ENCODE_FAILED', 'message', what),
          )
        }
      }
      try {
        this.#admit(waiting.length)
      } catch (error) {
        for (const end of ends) end?.(error)
        // Nothing was done yet; later the report has to say what was.
        if (first === 0) throw error
        for (const place of places) failures.set(place, error as MessagingError)
        continue
      }
      try {
        const failed = await this.#sender.send(
          waiting,
          this.#timeoutMs(options.timeout),
          options.retry,
        )
        for (const [at, error] of failed ?? []) failures.set(places[at]!, error)
        for (const [at, end] of ends.entries()) end?.(failed?.get(at))
      } finally {
        this.#release(waiting.length)
      }
    }
    return { confirmed: total - failures.size, failures }
  }

  /** Publishes a message that is already encoded. */
  async publishMessage(
    publication: Publication,
    declare?: readonly (Exchange | Queue)[],
    timeoutMs?: number,
    retry = true,
  ): Promise<void> {
    this.#admit(1)
    try {
      // With the usual deadline in the batch of this turn, without a promise in between.
      if (retry && (timeoutMs === undefined || timeoutMs === this.#link.publishTimeoutMs)) {
        const { done, index } = this.#batch.add({ publication, declare })
        const failure = (await done)?.get(index)
        if (failure) throw failure
        return
      }
      await this.#publishOne({ publication, declare }, timeoutMs && timeoutMs / 1000, retry)
    } finally {
      this.#release(1)
    }
  }

  /**
   * Publishes many encoded messages at once, in order. Resolves with the errors of those that were not
   * confirmed by the deadline, by their place.
   */
  async publishMany(
    publications: readonly Publication[],
    declare?: readonly (Exchange | Queue)[],
    timeoutMs: number = this.#link.publishTimeoutMs,
    retry = true,
  ): Promise<PublishFailures> {
    this.#admit(publications.length)
    try {
      const waiting = publications.map((publication) => ({ publication, declare }))
      return await this.#sender.send(waiting, timeoutMs, retry)
    } finally {
      this.#release(publications.length)
    }
  }

  /** Waits for what is under way, then gives its channel back. Safe to call twice. */
  close(): Promise<void> {
    return (this.#stopping ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#batch.flushNow()
    if (this.#unfinished > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    this.#disown()
    await this.#sender.close()
  }

  async #publishOne(
    waiting: Waiting,
    timeoutSeconds: number | undefined,
    retry = true,
  ): Promise<void> {
    const timeoutMs = this.#timeoutMs(timeoutSeconds)
    if (timeoutMs !== this.#link.publishTimeoutMs || !retry) {
      // Its own deadline, its own batch.
      const failure = (await this.#sender.send([waiting], timeoutMs, retry))?.get(0)
      if (failure) throw failure
      return
    }
    const { done, index } = this.#batch.add(waiting)
    const failure = (await done)?.get(index)
    if (failure) throw failure
  }

  #timeoutMs(seconds: number | undefined): number {
    return seconds === undefined ? this.#link.publishTimeoutMs : seconds * 1000
  }

  /** Undefined when the codecs are ready, which is the rule. */
  #prepare(options: PublishOptions): Promise<void> | undefined {
    const serializer = this.#serializerOf(options)
    return this.#link.codec.prepare(serializer, options.compression ?? this.#options.compression)
  }

  #serializerOf({ serializer, contentType }: PublishOptions): string {
    return contentType === undefined ? (serializer ?? this.#options.serializer ?? 'json') : 'raw'
  }

  #waiting(value: unknown, options: PublishOptions): Waiting {
    const encoded = this.#encode(value, options)
    const exchange = options.exchange ?? this.#options.exchange ?? ''
    const isName = typeof exchange === 'string'
    const { compression } = encoded
    const declares = !isName && (this.#options.declare ?? true)
    const deliveryMode = options.deliveryMode ?? (isName ? undefined : exchange.deliveryMode)
    return {
      publication: {
        exchange: isName ? exchange : exchange.name,
        routingKey: options.routingKey ?? this.#options.routingKey ?? '',
        message: {
          body: encoded.body,
          headers: compression ? { ...options.headers, compression } : (options.headers ?? {}),
          properties: propertiesOf(
            deliveryMode === undefined ? options : { ...options, deliveryMode },
            encoded.contentType,
            encoded.contentEncoding,
          ),
        },
        ...(options.mandatory !== undefined && { mandatory: options.mandatory }),
        ...(options.delay !== undefined && {
          delayUntilMs: this.#link.ambient.clock.now() + secondsOf(options.delay) * 1000,
          ...(!isName && { exchangeType: exchange.type }),
        }),
      },
      declare: options.declare ?? (declares ? [exchange] : undefined),
    }
  }

  /** With the headers of its span, where somebody traces. */
  #traced(waiting: Waiting): { waiting: Waiting; end?: (error?: unknown) => void } {
    const { tracing } = this.#link
    if (!tracing) return { waiting }
    const { exchange, routingKey, message } = waiting.publication
    const { headers, end } = tracing.publishing({
      exchange,
      routingKey,
      headers: message.headers,
      bodyBytes: message.body.length,
      messageId: message.properties.messageId,
    })
    const publication = { ...waiting.publication, message: { ...message, headers } }
    return { waiting: { ...waiting, publication }, end }
  }

  #encode(value: unknown, options: PublishOptions): EncodedBody {
    const { codec } = this.#link
    const { contentType, contentEncoding } = options
    const compression = options.compression ?? this.#options.compression
    if (contentType === undefined)
      return codec.encode(value, this.#serializerOf(options), compression)
    const isText = typeof value === 'string'
    const encoded = codec.encode(isText ? Buffer.from(value) : value, 'raw', compression)
    return {
      ...encoded,
      contentType,
      contentEncoding: contentEncoding ?? (isText ? 'utf-8' : 'binary'),
    }
  }

  #admit(count: number): void {
    if (this.#stopping) {
      throw new MessagingError('MESSAGING_CONNECTION_CLOSED', 'fatal', 'this producer is closed')
    }
    if (this.#unfinished + count > this.#link.publishBuffer) {
      throw new MessagingError(
        'MESSAGING_PUBLISH_REFUSED',
        'message',
        `${this.#unfinished} publishes wait for the broker already, at most ${this.#link.publishBuffer} may; slow down, or raise publishBuffer`,
      )
    }
    this.#unfinished += count
  }

  #release(count: number): void {
    this.#unfinished -= count
    if (this.#unfinished === 0) this.#idle?.()
  }
}

function secondsOf(delay: number): number {
  if (delay >= 0) return delay
  const found = `delay must be a number of at least 0, found ${delay}`
  throw new MessagingError('MESSAGING_OPTION_INVALID', 'message', found)
}

function* chunksOf(values: Iterable<unknown>, size: number): Generator<unknown[]> {
  let chunk: unknown[] = []
  for (const value of values) {
    if (chunk.push(value) < size) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}
