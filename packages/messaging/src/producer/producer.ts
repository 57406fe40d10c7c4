/**
 * Sends messages: encodes, declares what must exist once per link, and hands everything published in one
 * turn to the broker together. Every publish settles by its deadline: confirmed, or a typed error.
 *
 * Within the deadline a publish is repeated when the link breaks under it. The broker may then have it
 * twice (at least once), but never not at all.
 */
import { messageOf, MessagingError } from '../kernel/errors.ts'
import { sleep } from '../kernel/clock.ts'
import { TurnBatch } from '../kernel/turn-batch.ts'
import type { Message } from '../message/message.ts'
import type { Exchange } from '../topology/exchange.ts'
import type { Queue } from '../topology/queue.ts'
import type { Channel, Publication, PublishFailures } from '../transport/channel.ts'
import { declareEntity } from '../transport/declare.ts'
import type { Link } from '../transport/link.ts'
import { propertiesOf, type PublishOptions } from './options.ts'

export interface ProducerOptions {
  readonly exchange?: Exchange | string
  readonly routingKey?: string
  readonly serializer?: string
  readonly compression?: string
}

interface Waiting {
  readonly publication: Publication
  readonly declare: readonly (Exchange | Queue)[] | undefined
}

/** Pause between two tries of a publish whose link broke. */
const retryPauseMs = 20

export class Producer {
  readonly #link: Link
  readonly #options: ProducerOptions
  readonly #batch: TurnBatch<Waiting, PublishFailures>
  readonly #disown: () => void
  readonly #ended = new AbortController()
  #channel: Promise<Channel> | undefined
  /** Entities declared on the current channel; emptied with it. */
  #declared = new WeakSet<object>()
  #unfinished = 0
  #idle: (() => void) | undefined
  #stopping: Promise<void> | undefined

  constructor(link: Link, options: ProducerOptions = {}) {
    this.#link = link
    this.#options = options
    this.#batch = new TurnBatch((waiting) => this.#send(waiting, link.publishTimeoutMs))
    this.#disown = link.own({ stop: () => this.close() })
  }

  /**
   * Encodes and publishes a value. Rejects with a `MessagingError`: `MESSAGING_ENCODE_FAILED`,
   * `MESSAGING_PUBLISH_TIMEOUT`, `MESSAGING_PUBLISH_REFUSED`, `MESSAGING_UNROUTABLE`, ….
   */
  async publish(value: unknown, options: PublishOptions = {}): Promise<void> {
    const serializer = options.serializer ?? this.#options.serializer ?? 'json'
    const compression = options.compression ?? this.#options.compression
    const loading = this.#link.codec.prepare(serializer, compression)
    if (!loading) return await this.#publishValue(value, serializer, compression, options)
    // Under way from now on: `close` waits for it.
    this.#admit(1)
    try {
      await loading.catch(() => undefined)
      await this.#publishValue(value, serializer, compression, options, true)
    } finally {
      this.#release(1)
    }
  }

  async #publishValue(
    value: unknown,
    serializer: string,
    compression: string | undefined,
    options: PublishOptions,
    isAdmitted = false,
  ): Promise<void> {
    const encoded = this.#link.codec.encode(value, serializer, compression)
    const message: Message = {
      body: encoded.body,
      headers: encoded.compression
        ? { ...options.headers, compression: encoded.compression }
        : (options.headers ?? {}),
      properties: propertiesOf(options, encoded.contentType, encoded.contentEncoding),
    }
    const exchange = options.exchange ?? this.#options.exchange ?? ''
    const waiting: Waiting = {
      publication: {
        exchange: typeof exchange === 'string' ? exchange : exchange.name,
        routingKey: options.routingKey ?? this.#options.routingKey ?? '',
        message,
        ...(options.mandatory !== undefined && { mandatory: options.mandatory }),
      },
      declare: options.declare ?? (typeof exchange === 'string' ? undefined : [exchange]),
    }
    const timeoutMs = options.timeout === undefined ? undefined : options.timeout * 1000
    if (isAdmitted) await this.#publishOne(waiting, timeoutMs)
    else await this.publishMessage(waiting.publication, waiting.declare, timeoutMs)
  }

  /** Publishes a message that is already encoded. */
  async publishMessage(
    publication: Publication,
    declare?: readonly (Exchange | Queue)[],
    timeoutMs?: number,
  ): Promise<void> {
    this.#admit(1)
    try {
      await this.#publishOne({ publication, declare }, timeoutMs)
    } finally {
      this.#release(1)
    }
  }

  async #publishOne(waiting: Waiting, timeoutMs: number | undefined): Promise<void> {
    // Its own deadline, its own batch.
    if (timeoutMs !== undefined && timeoutMs !== this.#link.publishTimeoutMs) {
      const failures = await this.#send([waiting], timeoutMs)
      if (failures) throw failures.get(0)!
      return
    }
    const { done, index } = this.#batch.add(waiting)
    const failure = (await done)?.get(index)
    if (failure) throw failure
  }

  /**
   * Publishes many at once, in order. Resolves with the errors of those that were refused, by their
   * place; rejects when nothing is known of any by the deadline.
   */
  async publishMany(
    publications: readonly Publication[],
    declare?: readonly (Exchange | Queue)[],
    timeoutMs: number = this.#link.publishTimeoutMs,
  ): Promise<PublishFailures> {
    this.#admit(publications.length)
    try {
      return await this.#send(
        publications.map((publication) => ({ publication, declare })),
        timeoutMs,
      )
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
    this.#ended.abort()
    this.#disown()
    const channel = await this.#channel?.catch(() => undefined)
    await channel?.close()
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

  async #send(waiting: readonly Waiting[], timeoutMs: number): Promise<PublishFailures> {
    const { clock } = this.#link.ambient
    const refused = new Map<number, MessagingError>()
    const deadline = new AbortController()
    let lastError: unknown
    let late!: (error: MessagingError) => void
    const expired = new Promise<never>((_, reject) => (late = reject))
    const cancel = clock.after(timeoutMs, () => {
      deadline.abort()
      // Whoever hears of the abort may still say what it was waiting for.
      setImmediate(() => late(publishTimeout(timeoutMs, lastError)))
    })
    const attempts = async (): Promise<PublishFailures> => {
      for (;;) {
        try {
          const channel = await this.#openChannel(deadline.signal)
          await this.#declareAll(channel, waiting, refused)
          return await publishRest(channel, waiting, refused)
        } catch (error) {
          if (deadline.signal.aborted) throw publishTimeout(timeoutMs, error)
          if (MessagingError.is(error) && (error.fault === 'message' || error.fault === 'fatal'))
            throw error
          lastError = error
          await sleep(clock, retryPauseMs, deadline.signal)
        }
      }
    }
    try {
      return await Promise.race([attempts(), expired])
    } finally {
      cancel()
    }
  }

  /** What cannot be declared fails those that ask for it, not those that happen to travel with them. */
  async #declareAll(
    channel: Channel,
    waiting: readonly Waiting[],
    refused: Map<number, MessagingError>,
  ): Promise<void> {
    for (const [i, { declare }] of waiting.entries()) {
      if (!declare || refused.has(i)) continue
      try {
        await this.#declare(channel, declare)
      } catch (error) {
        if (!MessagingError.is(error) || !refusals.has(error.code)) throw error
        refused.set(i, error)
      }
    }
  }

  async #declare(channel: Channel, entities: readonly (Exchange | Queue)[]): Promise<void> {
    for (const entity of entities) {
      if (this.#declared.has(entity)) continue
      await declareEntity(channel, entity)
      this.#declared.add(entity)
    }
  }

  #openChannel(signal: AbortSignal): Promise<Channel> {
    this.#channel ??= this.#newChannel(signal).catch((error: unknown) => {
      this.#channel = undefined
      throw error
    })
    return this.#channel
  }

  async #newChannel(signal: AbortSignal): Promise<Channel> {
    const { channel } = await this.#link.openChannel(signal)
    this.#declared = new WeakSet()
    void channel.closed.then(() => (this.#channel = undefined))
    return channel
  }
}

/** Trying these again within the deadline cannot help. */
const refusals = new Set<MessagingError['code']>([
  'MESSAGING_DECLARATION_REFUSED',
  'MESSAGING_NOT_SUPPORTED',
])

/** Publishes all but the refused ones; the answer has the errors of both, by their places in `waiting`. */
async function publishRest(
  channel: Channel,
  waiting: readonly Waiting[],
  refused: ReadonlyMap<number, MessagingError>,
): Promise<PublishFailures> {
  if (refused.size === 0) return await channel.publish(waiting.map((one) => one.publication))
  const places = [...waiting.keys()].filter((i) => !refused.has(i))
  if (places.length === 0) return refused
  const failures = await channel.publish(places.map((i) => waiting[i]!.publication))
  const failed = [...(failures ?? [])].map(([i, error]) => [places[i]!, error] as const)
  return new Map([...refused, ...failed])
}

function publishTimeout(timeoutMs: number, cause: unknown): MessagingError {
  const why = cause === undefined ? 'the broker did not confirm it' : messageOf(cause)
  return new MessagingError(
    'MESSAGING_PUBLISH_TIMEOUT',
    'message',
    `the publish was not confirmed within ${timeoutMs} ms: ${why}`,
    { cause },
  )
}
