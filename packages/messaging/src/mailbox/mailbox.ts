/**
 * Broadcast with replies: commands go to every node, to some by name or by pattern, and whoever asked
 * collects what they answer until a deadline. Byte for byte Kombu's pidbox, so that nodes and callers may
 * be Python's.
 */
import { hostname } from 'node:os'
import { Consumer } from '../consumer/consumer.ts'
import { MessagingError } from '../kernel/errors.ts'
import { LamportClock } from '../kernel/lamport-clock.ts'
import type { Delivery } from '../message/delivery.ts'
import { Producer } from '../producer/producer.ts'
import type { Exchange } from '../topology/exchange.ts'
import { queue, type Queue } from '../topology/queue.ts'
import type { Link } from '../transport/link.ts'
import { matchers as standardMatchers, type Matcher } from './matchers.ts'
import { MailboxNode, type NodeOptions } from './node.ts'
import { commandExchange, isTable, replyExchange, type Command } from './wire.ts'

export interface MailboxOptions {
  /** How commands are spread: `direct` (default), or `fanout` as Celery has it. */
  readonly type?: 'direct' | 'fanout'
  /** Content that may be decoded; default json alone. */
  readonly accept?: readonly string[]
  /** Serializer of commands and replies; default json. */
  readonly serializer?: string
  /** Shared with others that order events by it; default one of its own. */
  readonly clock?: LamportClock
  /** Seconds a command may wait for its node; default no limit. */
  readonly queueTtl?: number
  /** Seconds after which the queue of a node that is gone goes, where the broker can; default none. */
  readonly queueExpires?: number
  /** The queues survive a restart of the broker; default false. Excludes `queueExclusive`. */
  readonly queueDurable?: boolean
  /** One node alone may use a name (default), where the broker can see to that. */
  readonly queueExclusive?: boolean
  /** Seconds a reply may wait for its caller; default no limit. */
  readonly replyQueueTtl?: number
  /** Seconds after which the reply queue of a caller that is gone goes, where the broker can; default 10. */
  readonly replyQueueExpires?: number
  /** Patterns beyond `glob` and `pcre`. */
  readonly matchers?: Readonly<Record<string, Matcher>>
}

export interface CastOptions {
  /** Names of the nodes that are to act; default all. */
  readonly destination?: readonly string[]
  /** Nodes whose name matches; with `matcher`. */
  readonly pattern?: string
  /** How `pattern` is read; default `glob`. */
  readonly matcher?: string
  /** Seconds after which nobody needs to act any more. `call`: seconds to collect replies, default 1. */
  readonly timeout?: number
}

export interface CallOptions extends CastOptions {
  /** Replies after which it is done; default the number of destinations, else no limit. */
  readonly limit?: number
  /** Called with each reply as it comes. */
  readonly onReply?: (reply: Reply) => void
  /** Ends the collecting at once; what has come is the answer. */
  readonly signal?: AbortSignal
}

export interface Reply {
  readonly node: string
  readonly value: unknown
}

/** Replies that wait for whoever asked, by ticket. */
interface Collector {
  readonly onReply: (reply: Reply) => void
  /** Ends the collecting. */
  readonly done: () => void
}

export class Mailbox {
  readonly namespace: string
  readonly clock: LamportClock
  readonly #link: Link
  readonly #options: MailboxOptions
  readonly #exchange: Exchange
  readonly #replyExchange: Exchange
  readonly #accept: readonly string[]
  readonly #serializer: string
  readonly #matchers: Readonly<Record<string, Matcher>>
  readonly #collectors = new Map<string, Collector>()
  readonly #oid: string
  #producer: Producer | undefined
  #replies: Consumer | undefined
  #closing: Promise<void> | undefined
  readonly #disown: () => void

  constructor(link: Link, namespace: string, options: MailboxOptions = {}) {
    if (options.queueDurable && (options.queueExclusive ?? false)) {
      throw new MessagingError(
        'MESSAGING_OPTION_INVALID',
        'fatal',
        'queueDurable and queueExclusive exclude each other: an exclusive queue goes with its connection',
      )
    }
    this.#link = link
    this.namespace = namespace
    this.#options = options
    this.clock = options.clock ?? new LamportClock()
    this.#exchange = commandExchange(namespace, options.type ?? 'direct')
    this.#replyExchange = replyExchange(`reply.${namespace}.pidbox`)
    this.#accept = options.accept ?? ['json']
    this.#serializer = options.serializer ?? 'json'
    this.#matchers = { ...standardMatchers, ...options.matchers }
    this.#oid = link.ambient.nextId()
    this.#disown = link.own({ stop: () => this.close() })
  }

  /** A node of this mailbox; call `start()` on it. Default name: that of the host. */
  node<State = undefined>(name = hostname(), options?: NodeOptions<State>): MailboxNode<State> {
    return new MailboxNode<State>(
      name,
      {
        link: this.#link,
        queue: () => this.#fitting(this.queueOf(name)),
        accept: this.#accept,
        serializer: this.#serializer,
        clock: this.clock,
        matchers: this.#matchers,
        producer: () => this.#publisher(),
      },
      options,
    )
  }

  /** The queue of a node. */
  queueOf(name: string): Queue {
    const { queueTtl, queueExpires } = this.#options
    return this.#queue(
      `${name}.${this.namespace}.pidbox`,
      this.#exchange,
      '',
      queueTtl,
      queueExpires,
    )
  }

  /** Tells nodes to do something, and waits for nothing but the broker. Kombu: `cast`, `abcast`. */
  async cast(
    method: string,
    args: Readonly<Record<string, unknown>> = {},
    options: CastOptions = {},
  ): Promise<void> {
    await this.#send(method, args, options, undefined)
  }

  /**
   * Asks nodes and collects their answers, until all of `limit` have come or `timeout` is over: resolves
   * with what has come by then, which may be nothing. Kombu: `call`, `multi_call`.
   */
  async call(
    method: string,
    args: Readonly<Record<string, unknown>> = {},
    options: CallOptions = {},
  ): Promise<Reply[]> {
    const { timeout = 1, destination, signal } = options
    // Kombu: no destination means all nodes, and so does a list of none.
    const { limit = destination?.length || Infinity } = options
    await this.#listen()
    const ticket = this.#link.ambient.nextId()
    const replies: Reply[] = []
    let done!: () => void
    const enough = new Promise<void>((resolve) => (done = resolve))
    this.#collectors.set(ticket, {
      onReply: (reply) => {
        replies.push(reply)
        options.onReply?.(reply)
        if (replies.length >= limit) done()
      },
      done,
    })
    signal?.addEventListener('abort', done, { once: true })
    let cancel: (() => void) | undefined
    try {
      await this.#send(method, args, { ...options, timeout }, ticket)
      cancel = this.#link.ambient.clock.after(timeout * 1000, done)
      if (!signal?.aborted) await enough
    } finally {
      cancel?.()
      signal?.removeEventListener('abort', done)
      this.#collectors.delete(ticket)
    }
    return replies
  }

  /** Ends the collecting of replies; nodes are stopped by themselves. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#disown()
    const [replies, producer] = [this.#replies, this.#producer]
    this.#replies = undefined
    for (const { done } of this.#collectors.values()) done()
    await replies?.stop()
    // Our own queue, of no use to anybody: it would wait for its end otherwise.
    if (replies) await this.#removeReplyQueue()
    await producer?.close()
  }

  async #removeReplyQueue(): Promise<void> {
    try {
      const { channel } = await this.#link.openChannel(AbortSignal.timeout(1000))
      await channel.removeQueue(this.#replyQueue.name)
      await channel.close()
    } catch {
      // Gone with the link, or about to expire.
    }
  }

  async #send(
    method: string,
    args: Readonly<Record<string, unknown>>,
    { destination, pattern, matcher, timeout }: CastOptions,
    ticket: string | undefined,
  ): Promise<void> {
    const command: Command = {
      method,
      arguments: args,
      destination: destination ?? null,
      pattern: pattern ?? null,
      matcher: pattern === undefined ? null : (matcher ?? 'glob'),
      ...(ticket !== undefined && {
        ticket,
        reply_to: { exchange: this.#replyExchange.name, routing_key: this.#oid },
      }),
    }
    const nowSeconds = this.#link.ambient.clock.now() / 1000
    await this.#publisher().publish(command, {
      exchange: this.#exchange,
      serializer: this.#serializer,
      priority: 0,
      headers: {
        clock: this.clock.forward(),
        expires: timeout === undefined ? 0 : nowSeconds + timeout,
      },
    })
  }

  #publisher(): Producer {
    if (this.#closing) {
      throw new MessagingError('MESSAGING_CONNECTION_CLOSED', 'fatal', 'this mailbox is closed')
    }
    return (this.#producer ??= new Producer(this.#link))
  }

  /** One consumer for all calls of this mailbox, from the first one on. */
  async #listen(): Promise<void> {
    if (this.#closing) this.#publisher()
    const replyQueue = await this.#fitting(this.#replyQueue)
    // Closed meanwhile: nobody would end what begins now.
    if (this.#closing) this.#publisher()
    this.#replies ??= new Consumer(this.#link, {
      queues: [replyQueue],
      noAck: true,
      accept: this.#accept,
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) this.#onReply(delivery)
      },
    })
    const replies = this.#replies
    try {
      await replies.start()
    } catch (error) {
      if (this.#replies === replies) this.#replies = undefined
      throw error
    }
  }

  #onReply(delivery: Delivery): void {
    const { headers } = delivery.message
    this.clock.adjust(headers['clock'])
    const { ticket } = headers
    const collector = typeof ticket === 'string' ? this.#collectors.get(ticket) : undefined
    // Too late, or of a caller before.
    if (!collector) return
    try {
      const body = delivery.value
      if (!isTable(body)) throw new Error('a reply must be a table of node and value')
      for (const [node, value] of Object.entries(body)) collector.onReply({ node, value })
    } catch (error) {
      this.#link.ambient.log.warn('a reply could not be read', { reason: String(error) })
    }
  }

  /** Without limits of time that the broker does not know: its queues stay until they are removed. */
  async #fitting(wanted: Queue): Promise<Queue> {
    const { queueExpiry, messageTtl } = await this.#link.capabilities()
    const { 'x-expires': expires, 'x-message-ttl': ttl, ...others } = wanted.arguments
    return {
      ...wanted,
      arguments: {
        ...others,
        ...(queueExpiry && expires !== undefined && { 'x-expires': expires }),
        ...(messageTtl && ttl !== undefined && { 'x-message-ttl': ttl }),
      },
    }
  }

  get #replyQueue(): Queue {
    const { replyQueueTtl, replyQueueExpires = 10 } = this.#options
    const name = `${this.#oid}.${this.#replyExchange.name}`
    return this.#queue(name, this.#replyExchange, this.#oid, replyQueueTtl, replyQueueExpires)
  }

  #queue(
    name: string,
    exchange: Exchange,
    routingKey: string,
    ttl: number | undefined,
    expires: number | undefined,
  ): Queue {
    const { queueDurable = false, queueExclusive = !queueDurable } = this.#options
    return queue(name, {
      durable: queueDurable,
      exclusive: queueExclusive,
      autoDelete: !queueDurable,
      bindings: [{ exchange, routingKey }],
      ...(expires !== undefined && { expiresMs: expires * 1000 }),
      ...(ttl !== undefined && { messageTtlMs: ttl * 1000 }),
    })
  }
}
