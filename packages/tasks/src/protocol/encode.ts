/** A task → the headers, body value and properties of its message (protocol 2). Hot path of every send. */
import type { Headers, HeaderValue, Properties } from '@celeriac/messaging'
import { describeArgs, describeKwargs } from '../kernel/describe.ts'
import type { Embed, OutgoingTask } from './task-message.ts'
import { expirationMs } from './times.ts'

/** Serializers write it as it is. */
export type TaskBody = readonly [
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  embed: Embed,
]

export interface EncodedTask {
  readonly headers: Headers
  readonly body: TaskBody
  /** Without content type and encoding, which belong to the serializer. */
  readonly properties: Properties
}

/**
 * `nowMs` (epoch milliseconds) is what the message's expiration is counted from. Own headers of the user
 * that carry a name of the protocol win, as they do in Celery. Never throws.
 */
export function encodeTask(task: OutgoingTask, nowMs: number): EncodedTask {
  const { id, args, kwargs } = task
  // One literal, always the same keys in the same order: objects of one shape are what keeps this fast.
  const headers: Record<string, HeaderValue> = {
    lang: 'js',
    task: task.task,
    id,
    shadow: task.shadow ?? null,
    eta: task.eta ?? null,
    expires: task.expires ?? null,
    group: task.groupId ?? null,
    group_index: task.groupIndex ?? null,
    retries: task.retries ?? 0,
    timelimit: [task.hardLimit ?? null, task.softLimit ?? null],
    root_id: task.rootId ?? id,
    parent_id: task.parentId ?? null,
    argsrepr: task.argsRepr ?? describeArgs(args),
    kwargsrepr: task.kwargsRepr ?? describeKwargs(kwargs),
    origin: task.origin,
    ignore_result: task.ignoreResult ?? false,
    replaced_task_nesting: task.replacedTaskNesting ?? 0,
    stamped_headers: task.stampedHeaders ?? null,
    stamps: (task.stamps ?? {}) as HeaderValue,
  }
  if (task.headers !== undefined) Object.assign(headers, task.headers)
  return { headers, body: [args, kwargs, task.embed], properties: propertiesOf(task, nowMs) }
}

function propertiesOf(task: OutgoingTask, nowMs: number): Properties {
  const properties: { -readonly [K in keyof Properties]: Properties[K] } = {
    ...task.properties,
    correlationId: task.id,
    replyTo: task.replyTo,
    deliveryMode: task.deliveryMode ?? 2,
  }
  if (task.priority !== undefined) properties.priority = task.priority
  if (task.expires !== undefined) {
    const leftMs = expirationMs(task.expires, nowMs)
    if (leftMs !== undefined) properties.expirationMs = leftMs
  }
  return properties
}
