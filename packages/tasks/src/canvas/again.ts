/** A running task sent again: as its own next attempt, or as something else that takes its place. */
import { TasksError } from '../kernel/errors.ts'
import type { TaskMeta, TaskPayload } from '../protocol/task-message.ts'
import { formatIso } from '../protocol/times.ts'
import { plan, type Plan, type PlanContext, type PlannedCall } from './plan.ts'
import { linkAll } from './links.ts'
import { mergeOptions, withOptions, type DeliveryOptions, type Signature } from './signature.ts'
import { stamp } from './stamp.ts'
import { endInOne } from './upgrade.ts'
import { fromWire } from './wire.ts'

export interface RetryChange {
  /** Seconds from now. */
  readonly countdown?: number | undefined
  /** Wins over `countdown`. */
  readonly eta?: Date | string | undefined
  /** Instead of those of this attempt. */
  readonly args?: readonly unknown[] | undefined
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined
  readonly options?: DeliveryOptions | undefined
}

/**
 * The message of the next attempt: same id, one retry more, its own parent, everything else kept; what is
 * left until it expires is counted anew when it is encoded. `replyTo` is used when the task has none.
 */
export function retryCall(
  meta: TaskMeta,
  payload: TaskPayload,
  change: RetryChange,
  context: { readonly replyTo: string },
): PlannedCall {
  const args = change.args ?? payload.args
  const kwargs = change.kwargs ?? payload.kwargs
  return {
    id: meta.id,
    task: meta.task,
    args,
    kwargs,
    embed: payload.embed,
    groupId: meta.groupId,
    groupIndex: meta.groupIndex,
    rootId: meta.rootId,
    parentId: meta.id,
    replyTo: meta.replyTo ?? context.replyTo,
    retries: meta.retries + 1,
    replacedTaskNesting: meta.replacedTaskNesting,
    stampedHeaders: meta.stampedHeaders,
    stamps: meta.stampedHeaders === undefined ? undefined : meta.stamps,
    origin: meta.origin,
    options: mergeOptions(retryOptions(meta, change), change.options),
  }
}

function retryOptions(meta: TaskMeta, change: RetryChange): DeliveryOptions {
  const { shadow, expiresMs, hardLimit, softLimit, priority } = meta
  const { countdown, eta } = change
  return {
    ...(eta !== undefined ? { eta } : countdown !== undefined && { countdown }),
    ...(expiresMs !== undefined && { expires: formatIso(expiresMs) }),
    ...(hardLimit !== undefined && { timeLimit: hardLimit }),
    ...(softLimit !== undefined && { softTimeLimit: softLimit }),
    ...(priority !== undefined && { priority }),
    ...(shadow !== undefined && { shadow }),
    ...(meta.ignoreResult && { ignoreResult: true }),
    ...(change.args === undefined && meta.argsRepr !== '' && { argsRepr: meta.argsRepr }),
    ...(change.kwargs === undefined && meta.kwargsRepr !== '' && { kwargsRepr: meta.kwargsRepr }),
    ...(Object.keys(meta.headers).length > 0 && { headers: meta.headers }),
  }
}

/**
 * What runs instead of the task and gives its result: it takes over the id, the place in a group or a
 * chord, the links and the rest of the chain. A group gives its results as one list. Throws
 * `TASKS_SIGNATURE_INVALID` for a chain without steps.
 */
export function replacement(
  meta: TaskMeta,
  payload: TaskPayload,
  signature: Signature,
  context: Pick<PlanContext, 'nextId' | 'replyTo' | 'options'>,
): Plan {
  const { callbacks, errbacks, chain, chord } = payload.embed
  const { id, groupId, groupIndex, rootId } = meta
  // A stamp is on everything that belongs to the workflow, so on what takes a place in it.
  const stamped = meta.stampedHeaders?.length ? stamp(signature, meta.stamps) : signature
  const linked = linkAll(endInOne(stamped), callbacks?.map(fromWire), errbacks?.map(fromWire))
  const placed = withOptions(linked, {
    taskId: id,
    ...(groupId !== undefined && { groupId }),
    ...(groupIndex !== undefined && { groupIndex }),
    ...(chord !== null && { chord: fromWire(chord) }),
  })
  const { replyTo, options } = context
  const within: PlanContext = {
    nextId: () => context.nextId(),
    replyTo,
    options,
    parentId: id,
    rootId,
    ...(chain?.length && { chain }),
  }
  const planned = plan(placed, within)
  if (planned.result === undefined) {
    throw new TasksError('TASKS_SIGNATURE_INVALID', `${meta.task} cannot be replaced by nothing`)
  }
  const replacedTaskNesting = meta.replacedTaskNesting + 1
  return { ...planned, send: planned.send.map((one) => ({ ...one, replacedTaskNesting })) }
}
