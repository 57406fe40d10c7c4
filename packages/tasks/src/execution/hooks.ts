/** The functions a task is declared with that are called around its run. */
import type { Logger } from '@celeriac/messaging'
import type { TaskContext } from './context.ts'
import type { TaskHooks, TaskOutcome } from './runnable.ts'
import { within, type Execution } from './context.ts'

/** Calls what must not take longer than its limit. */
export type Limited = (call: () => unknown) => Promise<void>

const names = ['onSuccess', 'onRetry', 'onFailure', 'after'] as const

/** True when something is to be called once the end is recorded. */
export function hasHooks(hooks: TaskHooks): boolean {
  return names.some((name) => hooks[name] !== undefined)
}

/** Calls what is to be called after this end; what they throw, and that they take too long, is logged and changes nothing. */
export async function callHooks(
  hooks: TaskHooks,
  execution: Execution,
  outcome: TaskOutcome,
  log: Logger,
  limited: Limited,
): Promise<void> {
  const { context } = execution
  const { state, value } = outcome
  const { onSuccess, onRetry, onFailure, after } = hooks
  const chosen = state === 'SUCCESS' ? onSuccess : state === 'RETRY' ? onRetry : onFailure
  if (chosen)
    await guarded(() => chosen.call(context, value, context.request), execution, log, limited)
  if (after)
    await guarded(() => after.call(context, outcome, context.request), execution, log, limited)
}

async function guarded(
  call: () => unknown,
  execution: Execution,
  log: Logger,
  limited: Limited,
): Promise<void> {
  const { request }: TaskContext = execution.context
  try {
    await limited(() => within(execution, call))
  } catch (error) {
    log.error('a hook of a task failed', {
      task: request.task,
      id: request.id,
      reason: error instanceof Error ? error.message : String(error),
    })
  }
}
