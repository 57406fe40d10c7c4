/** An error callback that is called here, with (request, error, traceback), instead of being sent. */
import type { Logger } from '@celeriac/messaging'
import type { Call } from '../canvas/index.ts'
import { decodeFailure, type Failure } from '../protocol/failures.ts'
import { bindArguments } from './bind.ts'
import { directContext } from './direct-context.ts'
import type { Runnable } from './runnable.ts'

/** What failed: a task that ran, or the body of a chord that never will. */
export interface FailedTask {
  readonly id: string
  readonly task: string
  readonly rootId: string
}

/** What it throws is logged, as in Celery. */
export async function callErrback(
  runnable: Runnable | undefined,
  { task, args, kwargs, immutable }: Call,
  failed: FailedTask,
  { exception, traceback }: Failure,
  log: Logger,
): Promise<void> {
  if (!runnable) return
  try {
    const lead = immutable ? [] : [failed, decodeFailure(exception, traceback), traceback]
    const all = bindArguments(task, runnable.params, [...lead, ...args], kwargs)
    await runnable.run.apply(
      directContext(task, () => log),
      all,
    )
  } catch (error) {
    log.error('an error callback failed', {
      task,
      id: failed.id,
      reason: error instanceof Error ? error.message : String(error),
    })
  }
}
