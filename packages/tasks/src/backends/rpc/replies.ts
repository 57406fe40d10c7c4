/**
 * The queue of this process to which results are sent, and its consumer. The queue outlives a lost link, so
 * that what is sent meanwhile arrives with the next one; it goes when this is closed, or by itself when
 * its process was killed.
 */
import type { Ambient, Connection, Consumer, Delivery, Producer, Queue } from '@celeriac/messaging'
import { queue } from '@celeriac/messaging'
import { withDeadline } from '@celeriac/messaging/internal'
import { TasksError } from '../../kernel/errors.ts'

export interface RepliesOptions {
  readonly name: string
  /** How long the queue stays when nobody consumes it. */
  readonly expiresMs: number
  /** Serializers whose content is decoded. */
  readonly accept: readonly string[]
  readonly onReply: (delivery: Delivery) => void
}

/** Header of the messages we send to ourselves to learn how far the queue is read. */
const markHeader = 'celeriac-mark'
/** The largest `x-expires` RabbitMQ takes. */
const longestExpiryMs = 2 ** 32 - 1
const prefetch = 1000
const removeWithinMs = 1000

export class Replies {
  readonly #connection: Connection
  readonly #options: RepliesOptions
  readonly #ambient: Ambient
  readonly #marks = new Map<string, () => void>()
  #consumer: Consumer | undefined
  #producer: Producer | undefined
  #isReady = false
  #starting: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #disown: (() => void) | undefined

  constructor(connection: Connection, options: RepliesOptions, ambient: Ambient) {
    this.#connection = connection
    this.#options = options
    this.#ambient = ambient
  }

  /**
   * Undefined once the queue stands and is consumed; resolves when it does. Rejects with
   * `TASKS_BACKEND_FAILED` when that takes longer than a publish may.
   */
  start(): Promise<void> | undefined {
    if (this.#isReady && !this.#closing) return undefined
    this.#starting ??= this.#start().finally(() => (this.#starting = undefined))
    return this.#starting
  }

  /** True when messages may be on their way to here. */
  get hasStarted(): boolean {
    return this.#consumer !== undefined
  }

  /**
   * Resolves when everything has arrived that the broker had before: a mark is sent to the end of the queue
   * and waited for.
   */
  async caughtUp(): Promise<void> {
    const id = this.#ambient.nextId()
    const arrived = new Promise<void>((resolve) => this.#marks.set(id, resolve))
    try {
      this.#producer ??= this.#connection.producer()
      await this.#producer.publishMessage({
        exchange: '',
        routingKey: this.#options.name,
        message: {
          body: new Uint8Array(),
          headers: { [markHeader]: id },
          properties: {
            contentType: 'application/data',
            contentEncoding: 'binary',
            deliveryMode: 1,
          },
        },
      })
      await this.#soon(arrived, 'reading the reply queue to its end')
    } catch (error) {
      throw failed('the results that have come cannot be looked at', error)
    } finally {
      this.#marks.delete(id)
    }
  }

  /** Stops and removes the queue. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #start(): Promise<void> {
    try {
      if (this.#closing) throw new TasksError('TASKS_STOPPED', 'the result backend is closed')
      const replies = await this.#queue()
      const consumer = (this.#consumer ??= this.#consume(replies))
      await this.#soon(consumer.start(), `consuming the reply queue '${replies.name}'`)
      this.#isReady = true
    } catch (error) {
      throw failed('the queue for results cannot be consumed', error)
    }
  }

  #consume(replies: Queue): Consumer {
    const consumer = this.#connection.consumer({
      queues: [replies],
      prefetch,
      accept: this.#options.accept,
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) this.#take(delivery)
      },
    })
    consumer.signals.on('failed', () => {
      // It does not try again: the next start does.
      if (this.#consumer === consumer) this.#consumer = undefined
      this.#isReady = false
    })
    this.#disown ??= this.#connection.own({ stop: () => this.close() })
    return consumer
  }

  #soon<T>(work: Promise<T>, what: string): Promise<T> {
    return withDeadline(work, this.#connection.publishTimeoutMs, this.#ambient.clock, what)
  }

  /**
   * Celery's is transient and goes with its last consumer, so results are lost with a link, and RabbitMQ 4.3
   * makes no such queue. This one is for nobody but this process: no peer declares it differently.
   */
  async #queue(): Promise<Queue> {
    const { name, expiresMs } = this.#options
    const { queueExpiry } = await this.#connection.capabilities()
    return queue(name, {
      durable: true,
      autoDelete: false,
      ...(queueExpiry && { expiresMs: Math.min(expiresMs, longestExpiryMs) }),
    })
  }

  #take(delivery: Delivery): void {
    const mark = delivery.message.headers[markHeader]
    if (mark === undefined) this.#options.onReply(delivery)
    else if (typeof mark === 'string') this.#marks.get(mark)?.()
    // On a broken link it comes again, and changes nothing.
    delivery.ack().catch(() => undefined)
  }

  async #close(): Promise<void> {
    this.#disown?.()
    const [consumer, producer] = [this.#consumer, this.#producer]
    this.#consumer = undefined
    await consumer?.stop()
    if (consumer && this.#isReady) await this.#removeQueue()
    await producer?.close()
  }

  async #removeQueue(): Promise<void> {
    try {
      const channel = await this.#connection.channel(AbortSignal.timeout(removeWithinMs))
      await channel.removeQueue(this.#options.name)
      await channel.close()
    } catch {
      // No link at the moment: it expires.
    }
  }
}

export function failed(what: string, cause: unknown): TasksError {
  if (TasksError.is(cause)) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new TasksError('TASKS_BACKEND_FAILED', `${what}: ${why}`, { cause })
}
