/** Parsers of the settings that have a shape of their own. Keys inside may be snake_case as well. */
import {
  camelKeys,
  type QueueSetting,
  type QueuesSetting,
  type RoutesSetting,
} from '../../kernel/setting-shapes.ts'
import { custom, isMapping, refuse, type Mapping } from '../option.ts'

export type {
  QueueSetting,
  QueuesSetting,
  RouteFunction,
  RoutesSetting,
  RouteTable,
  RouteTarget,
} from '../../kernel/setting-shapes.ts'

const queueKeys: ReadonlySet<string> = new Set([
  'name',
  'exchange',
  'exchangeType',
  'routingKey',
  'bindingKey',
  'bindings',
  'durable',
  'exclusive',
  'autoDelete',
  'arguments',
  'queueArguments',
  'bindingArguments',
  'expires',
  'messageTtl',
  'maxLength',
  'maxLengthBytes',
  'maxPriority',
  'deadLetterExchange',
  'deadLetterRoutingKey',
  'consumerArguments',
  'passive',
  'noDeclare',
  'type',
  'overflow',
  'deliveryLimit',
  'singleActiveConsumer',
  'broadcast',
  'alias',
  'broadcastExchange',
])

function queueSetting(raw: unknown, at: string): QueueSetting {
  if (!isMapping(raw)) return refuse(`a mapping at ${at}`)
  const given = camelKeys(raw)
  for (const key of Object.keys(given)) {
    if (!queueKeys.has(key)) refuse(`known keys of a queue at ${at}, not '${key}'`)
  }
  return given
}

/** The queues of an app: a list of names, declarations or descriptions, or descriptions by name. */
export const queues = custom<QueuesSetting>('a list of queues, or queues by name', (raw) => {
  if (Array.isArray(raw)) {
    return raw.map((one: unknown, index) => {
      if (typeof one === 'string') return one
      const parsed = queueSetting(one, `[${index}]`)
      return typeof parsed.name === 'string' && parsed.name !== ''
        ? parsed
        : refuse(`a queue with a name at [${index}]`)
    })
  }
  if (!isMapping(raw)) return refuse('a list of queues, or queues by name')
  return Object.fromEntries(
    Object.entries(raw).map(([name, one]) => [name, queueSetting(one, `'${name}'`)]),
  )
})

/** Tables, functions, or a list of both; routing/router.ts reads them and names what it cannot use. */
export const routes = custom<RoutesSetting>(
  'a mapping of task names to queues or options, a function, or a list of those',
  (raw) =>
    typeof raw === 'function' || Array.isArray(raw) || raw instanceof Map || isMapping(raw)
      ? (raw as RoutesSetting)
      : refuse('a mapping of task names to queues or options, a function, or a list of those'),
)

export type AnnotationsSetting =
  Readonly<Record<string, Mapping>> | readonly Readonly<Record<string, Mapping>>[]

/** Attributes by task name or `*`; one mapping or a list of them. */
export const annotations = custom<AnnotationsSetting>(
  'a mapping of task names to attributes, or a list of such mappings',
  (raw) => {
    const all = Array.isArray(raw) ? (raw as unknown[]) : [raw]
    const good = all.every((one) => isMapping(one) && Object.values(one).every(isMapping))
    return good
      ? (raw as AnnotationsSetting)
      : refuse('a mapping of task names to attributes, or a list of such mappings')
  },
)

/** How often publishing is tried again; seconds. */
export interface PublishRetryPolicy {
  /** Attempts after the first; null for no limit. */
  readonly maxRetries: number | null
  readonly intervalStart: number
  readonly intervalStep: number
  readonly intervalMax: number
}

const policyKeys = ['maxRetries', 'intervalStart', 'intervalStep', 'intervalMax'] as const

/** Missing keys keep their defaults. */
export const publishRetryPolicy = custom<PublishRetryPolicy, Partial<PublishRetryPolicy> | Mapping>(
  `a mapping of ${policyKeys.join(', ')} to numbers`,
  (raw) => {
    if (!isMapping(raw)) return refuse(`a mapping of ${policyKeys.join(', ')} to numbers`)
    const policy: Record<string, number | null> = {
      maxRetries: 3,
      intervalStart: 0,
      intervalStep: 0.2,
      intervalMax: 1,
    }
    for (const [key, value] of Object.entries(camelKeys(raw))) {
      if (key === 'retryErrors') continue
      if (!(policyKeys as readonly string[]).includes(key))
        refuse(`only ${policyKeys.join(', ')}, not '${key}'`)
      const isNumber = typeof value === 'number' && value >= 0
      if (!isNumber && !(key === 'maxRetries' && value === null))
        refuse(`a number of at least 0 for '${key}'`)
      policy[key] = value as number | null
    }
    return policy as unknown as PublishRetryPolicy
  },
)

/** Tasks a second, or a text such as '10/s', '200/m', '100/h'. */
export const rate = {
  ...custom<number | string>("a number a second, or a text such as '200/m'", (raw) => {
    if (typeof raw === 'number' && Number.isFinite(raw) && raw >= 0) return raw
    return typeof raw === 'string' && /^\d+(\.\d+)?(\/[smh])?$/.test(raw.trim())
      ? raw.trim()
      : refuse("a number a second, or a text such as '200/m'")
  }),
  fromText: (given: string): unknown => given,
}

/** 2 persistent, 1 transient. */
export const deliveryMode = {
  ...custom<1 | 2, 1 | 2 | 'persistent' | 'transient'>(
    "1, 2, 'transient' or 'persistent'",
    (raw) => {
      if (raw === 2 || raw === 'persistent') return 2
      if (raw === 1 || raw === 'transient') return 1
      return refuse("1, 2, 'transient' or 'persistent'")
    },
  ),
  fromText: (given: string): unknown => (/^[12]$/.test(given) ? Number(given) : given),
}

/** One periodic task, as `beatSchedule` names them. */
export interface BeatEntrySetting {
  /** A task, or its name. */
  readonly task: string | { readonly name: string }
  /** Seconds, a schedule such as `crontab(…)`, or its JSON form. */
  readonly schedule: number | object
  /** A function is asked at every tick. */
  readonly args?: readonly unknown[] | (() => readonly unknown[])
  readonly kwargs?: Mapping | (() => Mapping)
  /** Execution options: queue, expires, priority … */
  readonly options?: Mapping
  /** Intervals begin at whole days, hours, minutes or seconds. */
  readonly relative?: boolean
  readonly enabled?: boolean
}

export type BeatScheduleSetting = Readonly<Record<string, BeatEntrySetting>>

const entryKeys = ['task', 'schedule', 'args', 'kwargs', 'options', 'relative', 'enabled']

export const beatSchedule = custom<BeatScheduleSetting>('a mapping of names to entries', (raw) => {
  if (!isMapping(raw)) return refuse('a mapping of names to entries')
  for (const [name, entry] of Object.entries(raw)) {
    if (!isMapping(entry)) return refuse(`a mapping at '${name}'`)
    if (entry['task'] === undefined) return refuse(`a task at '${name}'`)
    if (entry['schedule'] === undefined) return refuse(`a schedule at '${name}'`)
    const odd = Object.keys(entry).find((key) => !entryKeys.includes(key))
    if (odd !== undefined) return refuse(`${entryKeys.join(', ')} at '${name}', not '${odd}'`)
  }
  return raw as unknown as BeatScheduleSetting
})
