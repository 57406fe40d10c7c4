/** From a signature and what the caller says to a plan, and to what is handed back. */
import { plan, stamp, type Plan, type ResultTree } from '../canvas/index.ts'
import type { Signature } from '../canvas/signature.ts'
import { currentExecution } from '../execution/context.ts'
import { TasksError } from '../kernel/errors.ts'
import { resultOf, type Member } from '../result/group-result.ts'
import type { SendOptions } from './app.ts'
import { runEagerly } from './eager.ts'
import type { Services } from './services.ts'

export type WholePlan = Plan & { readonly result: ResultTree }

/** Throws `TASKS_SIGNATURE_INVALID` when there is nothing to run. */
export function planOf(signature: Signature, options: SendOptions, services: Services): WholePlan {
  const {
    args,
    kwargs,
    taskId,
    timeout: _,
    rootId,
    parentId,
    addToParent: _1,
    stamps,
    ...given
  } = options
  const request = currentExecution()?.context.request
  const priority =
    services.config.taskInheritParentPriority && given.priority === undefined
      ? request?.priority
      : undefined
  const planned = plan(stamps ? stamp(signature, stamps) : signature, {
    nextId: taskId === undefined ? services.ambient.nextId : firstThen(taskId, services),
    replyTo: services.replyTo,
    parentId: parentId ?? request?.id,
    rootId: rootId ?? request?.rootId,
    args,
    kwargs,
    options: priority === undefined ? given : { ...given, priority },
  })
  const { result } = planned
  if (!result) throw new TasksError('TASKS_SIGNATURE_INVALID', 'there is nothing to run')
  return { ...planned, result }
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
