/**
 * Where a task is published: its options and the routes of the app to a queue, an exchange and a key.
 * Pure; asked once for every send.
 */
import type { Exchange, ExchangeType, Queue } from '@celeriac/messaging'
import type { Mapping, RoutesSetting } from '../kernel/setting-shapes.ts'
import { isBroadcast } from './broadcast.ts'
import type { Queues } from './queues.ts'
import { compileRoutes, type FindRoute, type RouteOptions } from './route-table.ts'

/** The execution options that decide; others are handed to routing functions and otherwise ignored. */
export interface RoutingOptions {
  readonly queue?: string | Queue | undefined
  readonly exchange?: string | Exchange | undefined
  readonly exchangeType?: ExchangeType | undefined
  readonly routingKey?: string | undefined
  readonly priority?: number | undefined
  readonly deliveryMode?: 1 | 2 | undefined
}

export interface Route {
  /** The queue meant, or undefined when only an exchange is known. */
  readonly queue: Queue | undefined
  /** Empty for the broker's default exchange, whose key is the name of the queue. */
  readonly exchange: string
  readonly routingKey: string
  /** To be declared, with its exchange and bindings, before the first publish. */
  readonly declare: Queue | undefined
  readonly priority: number | undefined
  readonly deliveryMode: 1 | 2
  /** Other execution options that the routes set (serializer, timeLimit …); the call's own win. */
  readonly options: Mapping
}

/** The settings this reads; a resolved Config has them. */
export interface RouterConfig {
  readonly taskRoutes: RoutesSetting | undefined
  readonly taskDefaultPriority: number | undefined
  readonly taskDefaultDeliveryMode: 1 | 2
}

const none: Mapping = Object.freeze({})

export class Router {
  readonly #queues: Queues
  readonly #config: RouterConfig
  readonly #findRoute: FindRoute | undefined
  /** Routes of calls that name at most a queue, by that queue; dropped when the set of queues changes. */
  readonly #plain = new Map<string | undefined, Route>()
  #version = -1

  constructor(queues: Queues, config: RouterConfig) {
    this.#queues = queues
    this.#config = config
    this.#findRoute = compileRoutes(config.taskRoutes)
  }

  /**
   * Where `task` goes. What the caller gives wins over the task's own attributes (merged by the caller),
   * and those over the routes. Throws `TASKS_QUEUE_NOT_FOUND` for a queue that may not be created.
   */
  route(
    task: string,
    options: RoutingOptions = none,
    args: readonly unknown[] = [],
    kwargs: Mapping = none,
  ): Route {
    const found = this.#findRoute?.(task, args, kwargs, options as Mapping)
    if (found) {
      const merged: RoutingOptions = { ...found, ...given(options as Mapping) } as RoutingOptions
      return this.#decide(merged, found, options)
    }

    const { queue } = options
    const isPlain =
      typeof queue !== 'object' &&
      options.exchange === undefined &&
      options.routingKey === undefined &&
      options.priority === undefined &&
      options.deliveryMode === undefined
    if (!isPlain) return this.#decide(options, undefined, options)
    if (this.#version !== this.#queues.version) {
      this.#plain.clear()
      this.#version = this.#queues.version
    }
    let route = this.#plain.get(queue)
    if (!route) this.#plain.set(queue, (route = this.#decide(options, undefined, options)))
    return route
  }

  #decide(merged: RoutingOptions, found: RouteOptions | undefined, call: RoutingOptions): Route {
    const exchange = nameOf(merged.exchange)
    const queue = this.#queue(merged.queue, exchange === undefined)
    const target =
      queue && (isBroadcast(queue) ? queue.broadcastExchange : queue.bindings[0]?.exchange)
    const type =
      merged.exchangeType ??
      (typeof merged.exchange === 'object' ? merged.exchange.type : undefined) ??
      target?.type ??
      'direct'

    // Celery: a direct exchange that is not fully named is left out; the queue gets the message itself.
    const isStraight =
      queue !== undefined && type === 'direct' && (!exchange || merged.routingKey === undefined)
    const { taskDefaultPriority, taskDefaultDeliveryMode } = this.#config
    return {
      queue,
      exchange: isStraight ? '' : (exchange ?? target?.name ?? ''),
      routingKey: isStraight
        ? queue.name
        : (merged.routingKey ?? queue?.bindings[0]?.routingKey) || this.#queues.defaultRoutingKey,
      declare: queue && !isBroadcast(queue) ? queue : undefined,
      // As on Celery's wire: no priority at all when a queue is named and nothing else.
      priority:
        merged.priority ?? taskDefaultPriority ?? (call.queue === undefined ? 0 : undefined),
      deliveryMode: merged.deliveryMode ?? taskDefaultDeliveryMode,
      options: found ? rest(found) : none,
    }
  }

  #queue(queue: string | Queue | undefined, useDefault: boolean): Queue | undefined {
    if (typeof queue === 'string') return this.#queues.get(queue)
    if (queue !== undefined) return queue
    return useDefault ? this.#queues.defaultQueue : undefined
  }
}

function nameOf(exchange: string | Exchange | undefined): string | undefined {
  return typeof exchange === 'object' ? exchange.name : exchange
}

/** What was given: undefined and null leave the choice to the routes. */
function given(options: Mapping): Mapping {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined && value !== null),
  )
}

const routing = new Set([
  'queue',
  'exchange',
  'exchangeType',
  'routingKey',
  'priority',
  'deliveryMode',
])

function rest(found: RouteOptions): Mapping {
  return Object.fromEntries(Object.entries(found).filter(([key]) => !routing.has(key)))
}
