/** A planned call and the time → the task as it goes out. The last pure step before routing and encoding. */
import type { Properties } from '@celeriac/messaging'
import { describe } from '../kernel/describe.ts'
import { TasksError } from '../kernel/errors.ts'
import type { OutgoingTask } from '../protocol/task-message.ts'
import { etaText, expiresText } from '../protocol/times.ts'
import type { PlannedCall } from './plan.ts'

export interface OutgoingContext {
  /** Epoch milliseconds. */
  readonly nowMs: number
  /** `gen<pid>@<host>` of this process. */
  readonly origin: string
}

/**
 * Makes absolute times of relative ones. Where the call goes (queue, exchange, routing key), how it is
 * written (serializer, compression) and the defaults of its task are the caller's to add. Throws
 * `TASKS_ARGUMENTS_INVALID` for an `eta`, `countdown` or `expires` that is no time, and for what no worker reads.
 */
export function outgoing(call: PlannedCall, context: OutgoingContext): OutgoingTask {
  const { options } = call
  const { nowMs } = context
  checkCall(call)
  return {
    id: call.id,
    task: call.task,
    args: call.args,
    kwargs: call.kwargs,
    embed: call.embed,
    shadow: options.shadow,
    eta: etaText(options, nowMs),
    expires: expiresText(options.expires, nowMs),
    groupId: call.groupId,
    groupIndex: call.groupIndex,
    retries: call.retries,
    hardLimit: options.timeLimit,
    softLimit: options.softTimeLimit,
    rootId: call.rootId,
    parentId: call.parentId,
    argsRepr: options.argsRepr,
    kwargsRepr: options.kwargsRepr,
    ignoreResult: options.ignoreResult,
    replacedTaskNesting: call.replacedTaskNesting,
    stampedHeaders: call.stampedHeaders,
    stamps: call.stamps,
    headers: options.headers,
    origin: call.origin ?? context.origin,
    replyTo: call.replyTo,
    priority: options.priority,
    deliveryMode: options.deliveryMode,
    properties: options.extra && propertiesOf(options.extra),
  }
}

/** Found where it is sent: a message that says this is put aside by whoever receives it, and nobody is told. */
function checkCall({ id, task, args, kwargs, options }: PlannedCall): void {
  const { priority, headers, timeLimit, softTimeLimit } = options
  if (typeof task !== 'string' || task === '') refuse(task, 'the name of a task', 'a text', task)
  if (typeof id !== 'string' || id === '') refuse(task, 'taskId', 'a text that is not empty', id)
  if (!Array.isArray(args)) refuse(task, 'args', 'a list', args)
  if (!isObject(kwargs)) refuse(task, 'kwargs', 'an object', kwargs)
  // Python writes None for what was not given.
  if (isGiven(headers) && !isObject(headers)) refuse(task, 'headers', 'an object', headers)
  // Which numbers there are is the broker's: Redis takes any for the nearest it has, as Kombu does.
  if (isGiven(priority) && !Number.isSafeInteger(priority))
    refuse(task, 'priority', 'a whole number', priority)
  checkLimit(task, 'timeLimit', timeLimit)
  checkLimit(task, 'softTimeLimit', softTimeLimit)
}

function checkLimit(task: string, name: string, limit: unknown): void {
  if (isGiven(limit) && !Number.isFinite(limit)) refuse(task, name, 'a number of seconds', limit)
}

function refuse(task: string, name: string, what: string, found: unknown): never {
  throw new TasksError(
    'TASKS_ARGUMENTS_INVALID',
    `${task}: ${name} must be ${what}, not ${describe(found)}`,
  )
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const known: Readonly<Record<string, keyof Properties>> = {
  message_id: 'messageId',
  timestamp: 'timestamp',
  type: 'type',
  user_id: 'userId',
  app_id: 'appId',
  cluster_id: 'clusterId',
}

/** Options nobody knows are message properties: AMQP's own, or some only a JSON envelope can carry. */
function propertiesOf(options: Readonly<Record<string, unknown>>): Properties {
  const properties: Record<string, unknown> = {}
  let extra: Record<string, unknown> | undefined
  for (const [name, value] of Object.entries(options)) {
    const ours = Object.hasOwn(known, name) ? known[name] : undefined
    if (ours !== undefined) properties[ours] = value
    else (extra ??= {})[name] = value
  }
  if (extra !== undefined) properties['extra'] = extra
  return properties
}
