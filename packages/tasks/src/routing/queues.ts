/**
 * The queues of an app: those it defines, those that appear when somebody names them, and those that a
 * worker consumes (`-Q`, `-X`). Celery: app/amqp.py.
 */
import { exchange, queue, type ExchangeType, type Queue } from '@celeriac/messaging'
import { didYouMean } from '@celeriac/messaging/internal'
import { TasksError } from '../kernel/errors.ts'
import { directQueueName } from '../kernel/names.ts'
import type { QueueSetting, QueuesSetting } from '../kernel/setting-shapes.ts'
import { broadcast, isBroadcast } from './broadcast.ts'
import { completed, isQueue, queueFrom, type QueueFallbacks } from './queue-setting.ts'

/** The settings this reads; a resolved Config has them. */
export interface QueuesConfig {
  readonly taskQueues: QueuesSetting | undefined
  readonly taskDefaultQueue: string
  readonly taskDefaultQueueType: 'classic' | 'quorum'
  readonly taskDefaultExchange: string | undefined
  readonly taskDefaultExchangeType: ExchangeType
  readonly taskDefaultRoutingKey: string | undefined
  readonly taskQueueMaxPriority: number | undefined
  readonly taskCreateMissingQueues: boolean
  readonly taskCreateMissingQueueType: 'classic' | 'quorum'
  readonly taskCreateMissingQueueExchangeType: ExchangeType | undefined
}

const quorum = { 'x-queue-type': 'quorum' } as const

export class Queues {
  readonly #config: QueuesConfig
  readonly #nextId: () => string
  readonly #fallbacks: QueueFallbacks
  /** By the name users give: a broadcast queue stands under its alias. */
  readonly #known = new Map<string, Queue>()
  /** What a worker consumes; undefined for all known. */
  #selected: Map<string, Queue> | undefined
  #version = 0

  /** `nextId` names this process's broadcast queues. */
  constructor(config: QueuesConfig, nextId: () => string) {
    this.#config = config
    this.#nextId = nextId
    this.#fallbacks = {
      exchange: exchange(config.taskDefaultExchange ?? config.taskDefaultQueue, {
        type: config.taskDefaultExchangeType,
      }),
      routingKey: config.taskDefaultRoutingKey ?? config.taskDefaultQueue,
      maxPriority: config.taskQueueMaxPriority,
    }
    const { taskQueues } = config
    if (taskQueues === undefined) this.add(this.#defaultQueue())
    else if (Array.isArray(taskQueues)) {
      for (const one of taskQueues as readonly (string | Queue | QueueSetting)[]) this.add(one)
    } else {
      for (const [name, one] of Object.entries(taskQueues)) {
        this.add(isQueue(one) ? one : { ...(one as QueueSetting), name })
      }
    }
  }

  /** Grows whenever a queue is added or replaced, for those who remember what they looked up. */
  get version(): number {
    return this.#version
  }

  /** Routing key of queues that have none. */
  get defaultRoutingKey(): string {
    return this.#fallbacks.routingKey
  }

  /** The queue of tasks that no route claims. */
  get defaultQueue(): Queue {
    return this.get(this.#config.taskDefaultQueue)
  }

  /** All queues known so far. */
  get all(): readonly Queue[] {
    return [...this.#known.values()]
  }

  /** What a worker consumes: the selected queues, or all that are known. */
  get consumed(): readonly Queue[] {
    return [...(this.#selected ?? this.#known).values()]
  }

  /** Adds or replaces a queue; a name alone is bound as a missing one would be. */
  add(given: string | Queue | QueueSetting): Queue {
    const one = this.#make(given)
    this.#known.set(isBroadcast(one) ? one.alias : one.name, one)
    this.#version++
    return one
  }

  find(name: string): Queue | undefined {
    return this.#known.get(name)
  }

  /** The queue of that name, created when it is missing and `taskCreateMissingQueues` allows it. */
  get(name: string): Queue {
    const known = this.#known.get(name)
    if (known) return known
    if (this.#config.taskCreateMissingQueues) return this.add(name)
    const names = [...this.#known.keys()]
    throw new TasksError(
      'TASKS_QUEUE_NOT_FOUND',
      `no queue '${name}' is defined, and missing ones are not created.${didYouMean(name, names)} Known: ${names.join(', ')}`,
    )
  }

  /** Consume only these (`-Q`). Throws `TASKS_QUEUE_NOT_FOUND` for a name that may not be created. */
  select(names: readonly string[]): void {
    if (names.length === 0) return
    this.#selected = new Map(names.map((name) => [name, this.get(name)]))
  }

  /** Consume this one as well, whatever was selected. */
  selectAlso(given: string | Queue | QueueSetting): Queue {
    const one = typeof given === 'string' ? this.get(given) : this.add(given)
    this.#selected?.set(isBroadcast(one) ? one.alias : one.name, one)
    return one
  }

  /** Do not consume these (`-X`); unknown names are fine. */
  deselect(names: readonly string[]): void {
    this.#selected ??= new Map(this.#known)
    for (const name of names) this.#selected.delete(name)
  }

  #make(given: string | Queue | QueueSetting): Queue {
    if (typeof given === 'string') return completed(this.#missing(given), this.#fallbacks)
    if (isQueue(given)) return completed(given, this.#fallbacks)
    const { name } = given
    if (name === undefined) {
      throw new TasksError('TASKS_ROUTE_INVALID', 'a queue needs a name')
    }
    return given.broadcast === true
      ? broadcast(name, this.#nextId(), this.#fallbacks.routingKey)
      : queueFrom(name, given, this.#fallbacks)
  }

  #defaultQueue(): Queue {
    const { taskDefaultQueue, taskDefaultQueueType } = this.#config
    return queue(taskDefaultQueue, {
      arguments: taskDefaultQueueType === 'quorum' ? quorum : {},
      bindings: [{ exchange: this.#fallbacks.exchange, routingKey: this.#fallbacks.routingKey }],
    })
  }

  #missing(name: string): Queue {
    const { taskCreateMissingQueueType, taskCreateMissingQueueExchangeType } = this.#config
    const own = exchange(name, { type: taskCreateMissingQueueExchangeType ?? 'direct' })
    return queue(name, {
      arguments: taskCreateMissingQueueType === 'quorum' ? quorum : {},
      bindings: [{ exchange: own, routingKey: name }],
    })
  }
}

/** The queue that only the worker `node` consumes (`workerDirect`): send to it to reach that worker. */
export function directQueue(node: string): Queue {
  return queue(directQueueName(node), {
    bindings: [{ exchange: exchange('C.dq2'), routingKey: node }],
  })
}
