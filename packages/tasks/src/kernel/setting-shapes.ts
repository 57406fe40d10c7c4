/**
 * Shapes of the settings that describe queues and routes. The config table parses them, routing reads
 * them. Keys inside may be camelCase or snake_case.
 */
import type { Exchange, ExchangeType, Queue, QueueType } from '@celeriac/messaging'

export type Mapping = Readonly<Record<string, unknown>>

/** `some_key` as `someKey`; other texts unchanged. */
export function camel(name: string): string {
  return name.replaceAll(/(?<=[a-z0-9])_+([a-z0-9])/gi, (_, next: string) => next.toUpperCase())
}

/** The same mapping with camelCase keys, one level deep. */
export function camelKeys(given: Mapping): Mapping {
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [camel(key), value]))
}

/** A queue as settings describe it, in the words of Kombu's `Queue`; seconds where Kombu has them. */
export interface QueueSetting {
  readonly name?: string
  readonly exchange?: string | Exchange
  readonly exchangeType?: ExchangeType
  readonly routingKey?: string
  readonly bindingKey?: string
  readonly bindings?: readonly {
    readonly exchange: string | Exchange
    readonly routingKey?: string
    readonly arguments?: Mapping
  }[]
  readonly durable?: boolean
  readonly exclusive?: boolean
  readonly autoDelete?: boolean
  readonly queueArguments?: Mapping
  readonly bindingArguments?: Mapping
  /** Seconds without consumers after which the broker removes the queue. */
  readonly expires?: number
  /** Seconds a message may wait. */
  readonly messageTtl?: number
  readonly maxLength?: number
  readonly maxLengthBytes?: number
  readonly maxPriority?: number
  readonly deadLetterExchange?: string
  readonly deadLetterRoutingKey?: string
  readonly consumerArguments?: Mapping
  /** Only looked for, never made. */
  readonly passive?: boolean
  /** Neither made nor looked for. */
  readonly noDeclare?: boolean
  /** How RabbitMQ keeps it. */
  readonly type?: QueueType
  readonly overflow?: 'drop-head' | 'reject-publish'
  readonly deliveryLimit?: number
  readonly singleActiveConsumer?: boolean
  /** Every worker gets a copy of each message. */
  readonly broadcast?: boolean
}

export type QueuesSetting =
  readonly (string | Queue | QueueSetting)[] | Readonly<Record<string, QueueSetting | Queue>>

/** Where a task goes: a queue's name, or execution options (`queue`, `exchange`, `routingKey` …). */
export type RouteTarget = string | Queue | Mapping

/** What a routing function is told. */
export type RouteFunction = (
  task: string,
  args: readonly unknown[],
  kwargs: Mapping,
  options: Mapping,
) => RouteTarget | null | undefined

/** Exact names, globs (`feed.*`) or, in pairs, regular expressions. */
export type RouteTable =
  | Readonly<Record<string, RouteTarget>>
  | readonly (readonly [string | RegExp, RouteTarget])[]
  | ReadonlyMap<string | RegExp, RouteTarget>

export type RoutesSetting =
  | RouteFunction
  | RouteTable
  | readonly (RouteFunction | RouteTable | readonly [string | RegExp, RouteTarget])[]
