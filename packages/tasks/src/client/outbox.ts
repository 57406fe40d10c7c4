/**
 * The only place that sends tasks: carries out a plan, joins first and messages after, so that a fast
 * member of a chord can never finish before its join is known.
 */
import type {
  Ambient,
  Message,
  Producer,
  Properties,
  Publication,
  Queue,
} from '@celeriac/messaging'
import type { BodyCodec } from '@celeriac/messaging/internal'
import { canCount, type ResultBackend } from '../backend/backend.ts'
import {
  joinsLater,
  mergeOptions,
  noOptions,
  outgoing,
  unlockCall,
  type Countdown,
  type DeliveryOptions,
  type Plan,
  type PlannedCall,
} from '../canvas/index.ts'
import type { Config } from '../config/options.ts'
import { TasksError } from '../kernel/errors.ts'
import { encodeTask, type EncodedTask } from '../protocol/encode.ts'
import { announce } from './joins.ts'
import { Offload } from './offload.ts'
import type { UniqueOptions } from './unique.ts'
import type { Route } from '../routing/router.ts'

/** What the declaration of a task says of its messages. */
export interface Declared {
  readonly delivery: DeliveryOptions
  /** Only one call of a kind: what makes a call of that kind, and what becomes of the others. */
  readonly unique?:
    { readonly options: UniqueOptions; keyOf(call: PlannedCall): string } | undefined
  /** The texts shown for its arguments, where some of them are secret. */
  describe?(call: PlannedCall): Pick<DeliveryOptions, 'argsRepr' | 'kwargsRepr'> | undefined
}

/** What the outbox needs of the app. */
export interface OutboxServices {
  readonly ambient: Ambient
  readonly config: Config
  readonly codec: BodyCodec
  readonly origin: string
  /** Address of this process for replies. */
  readonly replyTo: string
  /** Results come as messages to this process. */
  readonly expectsReplies: boolean
  producer(): Producer
  backend(): Promise<ResultBackend>
  /** Wire options that say where messages of a task go: for tasks that others send on. */
  placeOf(task: string): Readonly<Record<string, unknown>>
  route(task: string, options: DeliveryOptions, call: PlannedCall): Route
  /** What is declared of a task that is registered here. */
  declared(task: string): Declared | undefined
  /** Somebody may still change headers and properties. */
  readonly onSending?: (task: SentTask, encoded: EncodedTask) => void
  onSent(task: SentTask): void
}

/** Told once for each message the broker has confirmed. */
export interface SentTask {
  readonly call: PlannedCall
  readonly destination: Route
}

/** What carries out plans: the outbox, or for eager tasks the process itself. */
export interface Sending {
  send(plan: Plan, timeoutSeconds?: number): Promise<void>
}

export class Outbox implements Sending {
  readonly #services: OutboxServices
  /** Options as they were given → where they lead, and all that hold: those of a task are asked about again and again. */
  readonly #addressed = new WeakMap<
    DeliveryOptions,
    { readonly destination: Route; readonly options: DeliveryOptions }
  >()
  /** Keeps what would make messages large, where the setting asks for it. */
  readonly #offload: Offload | undefined

  constructor(services: OutboxServices) {
    this.#services = services
    const { ambient, config, backend } = services
    if (config.taskCanvasMaxBytes === undefined) return
    this.#offload = new Offload({
      most: config.taskCanvasMaxBytes,
      nextId: ambient.nextId,
      backend,
      placeOf: (task) => services.placeOf(task),
    })
  }

  /**
   * Resolves when the broker has confirmed every message. Rejects with `TASKS_SEND_FAILED` (its cause says
   * why; `sent` how many were confirmed), `TASKS_ARGUMENTS_INVALID` before anything is sent, or
   * `TASKS_BACKEND_FAILED` when a join cannot be announced.
   */
  send(plan: Plan, timeoutSeconds?: number): Promise<void> {
    const { send, countdowns } = plan
    const { expectsReplies } = this.#services
    // One call and nothing to prepare is the rule, and needs no more promises than that.
    if (send.length !== 1 || countdowns.length > 0 || this.#offload || expectsReplies)
      return this.#sendAll(plan, timeoutSeconds)
    try {
      const addressed = this.#address(send[0]!)
      if (this.#load([addressed])) return this.#sendAll(plan, timeoutSeconds)
      return this.#sendOne(this.#prepare(addressed), timeoutSeconds)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  async #sendAll(given: Plan, timeoutSeconds: number | undefined): Promise<void> {
    const plan = this.#offload ? await this.#offload.apply(given) : given
    const addressed = plan.send.map((call) => this.#address(call))
    const loading = this.#load(addressed)
    // What could not be loaded is said where it is needed.
    if (loading) await Promise.allSettled(loading)
    const prepared = addressed.map((one) => this.#prepare(one))
    await this.#expect(plan)
    for (const countdown of plan.countdowns) {
      const unlock = await this.#announce(countdown)
      if (unlock) prepared.push(this.#prepare(this.#address(unlock)))
    }
    if (prepared.length === 1) await this.#sendOne(prepared[0]!, timeoutSeconds)
    else if (prepared.length > 1) await this.#sendMany(prepared, timeoutSeconds)
  }

  /**
   * Results that come as messages need their queue first; what a worker sends on is for others. A join that comes
   * later is refused now, before half of the workflow has run.
   */
  async #expect(plan: Plan): Promise<void> {
    const { expectsReplies, replyTo } = this.#services
    if (!expectsReplies || plan.send.every((call) => call.replyTo !== replyTo)) return
    const backend = await this.#services.backend()
    if (backend.capabilities.joins === 'none' && joinsLater(plan)) throw cannotJoin(backend)
    await backend.expect?.()
  }

  /** Announces a join, or gives the task that will look for its end where the store cannot count. */
  async #announce(countdown: Countdown): Promise<PlannedCall | undefined> {
    const backend = await this.#services.backend()
    if (canCount(backend)) {
      await announce(backend, countdown)
      return undefined
    }
    if (backend.capabilities.joins === 'none') throw cannotJoin(backend)
    const { ambient, config, replyTo } = this.#services
    return unlockCall(countdown, {
      id: ambient.nextId(),
      replyTo,
      intervalSeconds: config.resultChordRetryInterval,
    })
  }

  /** The message of a call as it would go out; for runs without a broker. */
  async message(call: PlannedCall): Promise<Message> {
    const addressed = this.#address(call)
    const loading = this.#load([addressed])
    if (loading) await Promise.allSettled(loading)
    return this.#prepare(addressed).publication.message
  }

  async #sendOne(prepared: Prepared, timeoutSeconds: number | undefined): Promise<void> {
    const { publication, destination } = prepared
    try {
      await this.#services
        .producer()
        .publishMessage(
          publication,
          destination.declare && [destination.declare],
          timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000,
          this.#retries(prepared.call),
        )
    } catch (error) {
      throw sendFailed(prepared.call, error, 0, 1)
    }
    this.#services.onSent(prepared)
  }

  async #sendMany(
    prepared: readonly Prepared[],
    timeoutSeconds: number | undefined,
  ): Promise<void> {
    const declare = new Set<Queue>()
    for (const { destination } of prepared)
      if (destination.declare) declare.add(destination.declare)
    let failures
    try {
      failures = await this.#services.producer().publishMany(
        prepared.map(({ publication }) => publication),
        [...declare],
        timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000,
        prepared.every(({ call }) => this.#retries(call)),
      )
    } catch (error) {
      throw sendFailed(prepared[0]!.call, error, 0, prepared.length)
    }
    for (const [index, one] of prepared.entries()) {
      if (!failures?.has(index)) this.#services.onSent(one)
    }
    if (!failures) return
    const [index, error] = [...failures][0]!
    throw sendFailed(prepared[index]!.call, error, prepared.length - failures.size, prepared.length)
  }

  #retries({ options }: PlannedCall): boolean {
    return options.retry ?? this.#services.config.taskPublishRetry
  }

  /** Codecs that are not ready yet; undefined when all are, which is the rule. */
  #load(addressed: readonly SentTask[]): Promise<void>[] | undefined {
    let loading: Promise<void>[] | undefined
    for (const { call } of addressed) {
      const one = this.#services.codec.prepare(...this.#codecOf(call))
      if (one) (loading ??= []).push(one)
    }
    return loading
  }

  #codecOf({ options }: PlannedCall): [serializer: string, compression: string | undefined] {
    const { taskSerializer, taskCompression } = this.#services.config
    return [options.serializer ?? taskSerializer, options.compression ?? taskCompression]
  }

  #address(given: PlannedCall): SentTask {
    const { config } = this.#services
    const declared = this.#services.declared(given.task)
    const described = declared?.describe?.(given)
    const own = described ? { ...declared!.delivery, ...described } : declared?.delivery
    const options = own ? mergeOptions(own, given.options) : given.options
    const route = this.#services.route(given.task, options, given)
    const known = this.#addressed.get(options)
    if (known?.destination === route)
      return { call: { ...given, options: known.options }, destination: route }
    const whole = {
      ignoreResult: config.taskIgnoreResult,
      ...route.options,
      ...options,
      ...(route.priority !== undefined && { priority: route.priority }),
      deliveryMode: options.deliveryMode ?? route.deliveryMode,
    }
    // Worth keeping where the next call brings the same ones: the task's own, or none.
    if (options === own || options === noOptions)
      this.#addressed.set(options, { destination: route, options: Object.freeze(whole) })
    return { call: { ...given, options: whole }, destination: route }
  }

  #prepare({ call, destination }: SentTask): Prepared {
    const { ambient, codec, origin } = this.#services
    const nowMs = ambient.clock.now()
    const encoded = encodeTask(outgoing(call, { nowMs, origin }), nowMs)
    this.#services.onSending?.({ call, destination }, encoded)
    let body
    try {
      body = codec.encode(encoded.body, ...this.#codecOf(call))
    } catch (error) {
      throw new TasksError(
        'TASKS_ARGUMENTS_INVALID',
        `${call.task}[${call.id}] cannot be sent: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      )
    }
    // Ours alone, and completed where they are: copies with more members are slow to read ever after.
    const properties: Writable<Properties> = encoded.properties
    properties.contentType = body.contentType
    properties.contentEncoding = body.contentEncoding
    const message: Message = {
      body: body.body,
      headers: body.compression
        ? { ...encoded.headers, compression: body.compression }
        : encoded.headers,
      properties,
    }
    const { exchange, routingKey } = destination
    const { mandatory } = call.options
    // An expired task has an end to be recorded: its worker must see it, where the broker lets it.
    const publication = {
      exchange,
      routingKey,
      message,
      keepExpired: true,
      ...(mandatory && { mandatory }),
    }
    return { call, destination, publication }
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

interface Prepared extends SentTask {
  readonly publication: Publication
}

function cannotJoin({ name }: ResultBackend): TasksError {
  return new TasksError(
    'TASKS_NOT_SUPPORTED',
    `the result backend '${name}' cannot join chords; use redis://, a database, sqlite:// or cache+memcached://`,
  )
}

function sendFailed(call: PlannedCall, cause: unknown, sent: number, of: number): TasksError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const how = of === 1 ? '' : ` (${sent} of ${of} messages were confirmed)`
  return Object.assign(
    new TasksError('TASKS_SEND_FAILED', `${call.task}[${call.id}] was not sent${how}: ${why}`, {
      cause,
    }),
    { sent },
  )
}
