/** From a signature and what the caller says to a plan, and to what is handed back. */
import { plan, stamp, taskTree, type Plan, type ResultTree } from '../canvas/index.ts'
import { inheritPriority } from '../client/priority.ts'
import { admission } from '../client/admission.ts'
import type { DeliveryOptions, Signature } from '../canvas/signature.ts'
import { currentExecution } from '../execution/context.ts'
import { describe } from '../kernel/describe.ts'
import { TasksError } from '../kernel/errors.ts'
import { AsyncResult } from '../result/async-result.ts'
import { resultOf, type Member } from '../result/group-result.ts'
import type { SendOptions } from './app.ts'
import type { Services } from './services.ts'

export type WholePlan = Plan & { readonly result: ResultTree }

/** Throws `TASKS_SIGNATURE_INVALID` when there is nothing to run. */
export function planOf(signature: Signature, options: SendOptions, services: Services): WholePlan {
  return planWith(signature, options, deliveryIn(options), services)
}

/** What of the options is laid over the signature's own; undefined for nothing, which is the rule. */
function deliveryIn(options: SendOptions): DeliveryOptions | undefined {
  const {
    args: _,
    kwargs: _1,
    taskId: _2,
    timeout: _3,
    rootId: _4,
    parentId: _5,
    addToParent: _6,
    stamps: _7,
    ...given
  } = options
  return Object.keys(given).length === 0 ? undefined : given
}

function planWith(
  signature: Signature,
  { args, kwargs, taskId, rootId, parentId, stamps }: SendOptions,
  given: DeliveryOptions | undefined,
  services: Services,
): WholePlan {
  if (typeof (signature as Partial<Signature> | null | undefined)?.kind !== 'string') {
    throw new TasksError(
      'TASKS_SIGNATURE_INVALID',
      `expected a signature, such as task.s(…), found ${describe(signature)}`,
    )
  }
  const request = currentExecution()?.context.request
  const planned = plan(stamps ? stamp(signature, stamps) : signature, {
    nextId: taskId === undefined ? services.ambient.nextId : firstThen(taskId, services),
    replyTo: services.replyTo,
    parentId: parentId ?? request?.id,
    rootId: rootId ?? request?.rootId,
    args,
    kwargs,
    options: given,
  })
  const { result } = planned
  if (!result) throw new TasksError('TASKS_SIGNATURE_INVALID', 'there is nothing to run')
  const whole = { ...planned, result }
  if (!services.config.taskInheritParentPriority) return whole
  return inheritPriority(whole, request?.priority, (task) => services.declared(task))
}

/** Of each; throws `TASKS_ARGUMENTS_INVALID` when several are to have one id. */
export function plansOf(
  signatures: readonly Signature[],
  options: SendOptions,
  services: Services,
): WholePlan[] {
  if (options.taskId !== undefined && signatures.length > 1) {
    throw new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      `${signatures.length} tasks cannot have one taskId; leave it out, or give each signature its own`,
    )
  }
  const given = deliveryIn(options)
  return signatures.map((one) => planWith(one, options, given, services))
}

/**
 * Sends a plan of which some calls are of unique tasks: those need their keys. The handle is that of another call
 * when this one was throttled. Rejects with `DuplicateTaskError`, and with whatever keeps the messages from being
 * sent. Undefined for a plan without such calls.
 */
export function dispatch(
  services: Services,
  planned: WholePlan,
  options: SendOptions,
): Promise<ResultTree> | undefined {
  const declared = (task: string) => services.declared(task)
  const admitting = admission(planned, declared, services.uniqueKeys)
  return admitting && sendAdmitted(services, planned, options, admitting)
}

/** Sends any plan; resolves with the handle of what runs. */
export async function sendPlanned(
  services: Services,
  planned: WholePlan,
  options: SendOptions,
): Promise<ResultTree> {
  const sending = dispatch(services, planned, options)
  if (sending) return await sending
  await services.outbox.send(planned, options.timeout)
  remember(planned.result, options)
  return planned.result
}

/** Many plans in one batch, in order; those of unique tasks one after the other, since each needs its key. */
export async function sendTogether(
  services: Services,
  plans: readonly WholePlan[],
  options: SendOptions,
): Promise<Member[]> {
  const handles: Member[] = []
  const isUnique = ({ send }: Plan): boolean =>
    send.some(({ task }) => services.declared(task)?.unique !== undefined)
  if (services.config.taskAlwaysEager)
    for (const one of plans) handles.push(await runHere(services, one, undefined))
  else if (plans.some(isUnique)) return await sendApart(services, plans, options)
  else if (plans.length > 0) {
    const send = plans.flatMap((one) => one.send)
    const countdowns = plans.flatMap((one) => one.countdowns)
    await services.outbox.send({ send, countdowns, result: undefined }, options.timeout)
    for (const one of plans) {
      remember(one.result, options)
      handles.push(handleFor(services, one, one.result))
    }
  }
  return handles
}

async function sendAdmitted(
  services: Services,
  planned: WholePlan,
  options: SendOptions,
  admitting: NonNullable<ReturnType<typeof admission<WholePlan>>>,
): Promise<ResultTree> {
  const admitted = await admitting
  if (admitted.instead !== undefined) return taskTree(admitted.instead)
  try {
    await services.outbox.send(admitted.plan, options.timeout)
  } catch (error) {
    await admitted.withdraw().catch(() => undefined)
    throw error
  }
  remember(planned.result, options)
  return planned.result
}

/** One after the other, since each may be refused. An error's `sent` counts the messages of those before, too. */
export async function sendApart(
  services: Services,
  plans: readonly WholePlan[],
  options: SendOptions,
): Promise<Member[]> {
  const results: Member[] = []
  let sent = 0
  for (const planned of plans) {
    try {
      results.push(handleFor(services, planned, await sendPlanned(services, planned, options)))
    } catch (error) {
      if (!TasksError.is(error)) throw error
      const here = (error as { readonly sent?: number }).sent ?? 0
      throw Object.assign(error, { sent: sent + here })
    }
    sent += planned.send.length
  }
  return results
}

/** What sending gives. It knows that a task stores nothing, so that nobody waits for that. */
export function handleFor(services: Services, { send }: Plan, sent: ResultTree): Member {
  const handle = resultOf(sent, services.results)
  const [first] = send
  if (first === undefined || send.length > 1 || first.id !== handle.id) return handle
  if (!(handle instanceof AsyncResult)) return handle
  const declared = services.find(first.task)?.options.ignoreResult
  handle.ignored = first.options.ignoreResult ?? declared ?? services.config.taskIgnoreResult
  return handle
}

/** Children of the task around it are told in its result. */
export function remember(
  result: ResultTree | undefined,
  { addToParent = true }: SendOptions,
): void {
  if (result && addToParent) currentExecution()?.children.push(result)
}

/** Runs a plan in the caller; throws the error of its result when told, or when the setting says so. */
export async function runHere(
  services: Services,
  planned: WholePlan,
  throws: boolean | undefined,
): Promise<Member> {
  const { runEagerly } = await import('./eager.ts')
  const handle = resultOf(planned.result, await runEagerly(services, planned))
  if (throws ?? services.config.taskEagerPropagates) await handle.get()
  return handle
}

function firstThen(first: string, services: Services): () => string {
  let given = false
  return () => {
    if (given) return services.ambient.nextId()
    given = true
    return first
  }
}
