/** An error callback that is called here, with (request, error, traceback), instead of being sent. */
import type { Logger } from '@celeriac/messaging'
import type { Call } from '../canvas/index.ts'
import { decodeFailure, type Failure } from '../protocol/failures.ts'
import { bindArguments } from './bind.ts'
import { directContext } from './direct-context.ts'
import type { Limited } from './hooks.ts'
import type { Runnable } from './runnable.ts'

/** What failed: a task that ran, or the body of a chord that never will. */
export interface FailedTask {
  readonly id: string
  readonly task: string
  readonly rootId: string
}

/**
 * True for an error callback that still wants more than one argument of a task known here: it is called in
 * place. The others are sent, with the id. Unlike in Celery, arguments it has already do not count.
 */
export function isCalledInPlace(
  runnable: Runnable | undefined,
  { args, kwargs }: Pick<Call, 'args' | 'kwargs'>,
): boolean {
  const params = runnable?.params
  if (!params) return false
  const names = Object.keys(kwargs)
  const named = names.filter((name) => params.includes(name)).length
  // The others come together, in the last parameter.
  const together = names.length > named ? 1 : 0
  // Arguments stand at the end, so those with defaults are taken when there are any.
  const wanted = args.length > 0 ? params.length - args.length : runnable.run.length
  return wanted - named - together > 1
}

/** What it throws is logged, as in Celery. */
export async function callErrback(
  runnable: Runnable | undefined,
  { task, args, kwargs, immutable }: Call,
  failed: FailedTask,
  { exception, traceback }: Failure,
  log: Logger,
  limited: Limited = async (call) => void (await call()),
): Promise<void> {
  if (!runnable) return
  try {
    const known = [failed, decodeFailure(exception, traceback), traceback]
    const takesAll = runnable.params?.at(-1)?.startsWith('...') ?? true
    const room = takesAll ? known.length : runnable.params!.length - args.length
    const lead = immutable ? [] : known.slice(0, Math.max(0, room))
    const all = bindArguments(task, runnable.params, [...lead, ...args], kwargs)
    const context = directContext(task, () => log)
    await limited(() => runnable.run.apply(context, all))
  } catch (error) {
    log.error('an error callback failed', {
      task,
      id: failed.id,
      reason: error instanceof Error ? error.message : String(error),
    })
  }
}
