/** One who listens to a mailbox: runs the handler of each command that is meant for it, and answers. */
import { Consumer } from '../consumer/consumer.ts'
import { messageOf, MessagingError } from '../kernel/errors.ts'
import type { Delivery } from '../message/delivery.ts'
import type { Producer } from '../producer/producer.ts'
import type { Link } from '../transport/link.ts'
import type { LamportClock } from '../kernel/lamport-clock.ts'
import type { Queue } from '../topology/queue.ts'
import { matches, type Matcher } from './matchers.ts'
import { readCommand, replyExchange, reprOf, type Command } from './wire.ts'

/** What a handler gets besides the arguments. */
export interface CommandContext<State> {
  readonly node: string
  readonly state: State
  readonly method: string
  /** True when somebody waits for the answer. */
  readonly replies: boolean
}

/** Handles a command; what it returns is the answer. */
export type Handler<State> = (
  args: Readonly<Record<string, unknown>>,
  context: CommandContext<State>,
) => unknown

export interface NodeOptions<State> {
  readonly handlers?: Readonly<Record<string, Handler<State>>>
  /** Handed to every handler. */
  readonly state?: State
}

/** What a mailbox gives to its nodes. */
export interface NodeServices {
  readonly link: Link
  queue(): Promise<Queue>
  readonly accept: readonly string[]
  readonly serializer: string
  readonly clock: LamportClock
  readonly matchers: Readonly<Record<string, Matcher>>
  producer(): Producer
}

/** A command that expired is dropped, but clocks differ: by so many seconds it must be over. */
const skewSeconds = 60

export class MailboxNode<State = undefined> {
  readonly name: string
  readonly #services: NodeServices
  readonly #state: State
  readonly #handlers: Map<string, Handler<State>>
  #consumer: Consumer | undefined
  #starting: Promise<void> | undefined
  #isStopped = false

  constructor(name: string, services: NodeServices, options: NodeOptions<State> = {}) {
    this.name = name
    this.#services = services
    this.#state = options.state as State
    this.#handlers = new Map(Object.entries(options.handlers ?? {}))
  }

  /** Adds or replaces a handler. */
  handle(method: string, handler: Handler<State>): this {
    this.#handlers.set(method, handler)
    return this
  }

  get isReady(): boolean {
    return this.#consumer?.isReady ?? false
  }

  /** Resolves when it hears commands; rejects where another node of this name does already. */
  start(): Promise<void> {
    return (this.#starting ??= this.#start())
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#consumer?.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Runs a command as if it had come over the wire; the value it answers, errors included. */
  async dispatch(
    method: string,
    args: Readonly<Record<string, unknown>> = {},
    replies = false,
  ): Promise<unknown> {
    try {
      const handler = this.#handlers.get(method)
      // Python's handlers are a dictionary, and that is what it says.
      if (!handler) throw Object.assign(new Error(method), { name: 'KeyError' })
      const context = { node: this.name, state: this.#state, method, replies }
      return (await handler(args, context)) ?? null
    } catch (error) {
      this.#warn('a command failed', { method, reason: messageOf(error) })
      return { error: reprOf(error) }
    }
  }

  async #start(): Promise<void> {
    const { link, accept } = this.#services
    const queue = await this.#services.queue()
    if (this.#isStopped) return
    this.#consumer = new Consumer(link, {
      queues: [queue],
      noAck: true,
      accept,
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) void this.#onCommand(delivery)
      },
    })
    await this.#consumer.start()
  }

  async #onCommand(delivery: Delivery): Promise<void> {
    const { headers } = delivery.message
    try {
      const command = readCommand(delivery.value)
      if (!command) throw new Error('it has no method')
      this.#services.clock.adjust(headers['clock'])
      const { expires } = headers
      const nowSeconds = this.#services.link.ambient.clock.now() / 1000
      if (typeof expires === 'number' && expires > 0 && expires + skewSeconds < nowSeconds) return
      if (this.#isMeant(command)) await this.#run(command)
    } catch (error) {
      this.#warn('a command could not be read or answered', { reason: messageOf(error) })
    }
  }

  #isMeant({ destination, pattern, matcher }: Command): boolean {
    if (destination && destination.length > 0) return destination.includes(this.name)
    if (pattern === null || matcher === null) return true
    return matches(this.name, pattern, matcher, this.#services.matchers)
  }

  async #run({ method, arguments: args, ticket, reply_to: to }: Command): Promise<void> {
    const value = await this.dispatch(method, args, to !== undefined)
    if (!to) return
    const { producer, clock, serializer } = this.#services
    const options = {
      exchange: replyExchange(to.exchange),
      routingKey: to.routing_key,
      serializer,
      priority: 0,
      headers: { ticket: ticket ?? null, clock: clock.forward() },
    }
    try {
      await producer().publish({ [this.name]: value }, options)
    } catch (error) {
      if (!MessagingError.is(error) || error.code !== 'MESSAGING_ENCODE_FAILED') throw error
      // Whoever waits must not wait in vain because of a value that cannot travel.
      await producer().publish({ [this.name]: { error: reprOf(error) } }, options)
    }
  }

  #warn(text: string, fields: Readonly<Record<string, string>>): void {
    this.#services.link.ambient.log.warn(text, { node: this.name, ...fields })
  }
}
