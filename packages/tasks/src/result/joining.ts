/**
 * Whether a result may be waited for here. A task that waits for another keeps its slot while it does: once all
 * slots wait, nothing goes on. So it is refused inside of tasks, unless it is said to be meant.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { WouldBlockError } from '../kernel/errors.ts'

const rule = new AsyncLocalStorage<'allowed' | 'denied'>()

/** Lets everything that `body` calls wait for results, also inside of a task. Celery: `allow_join_result`. */
export function allowJoinResult<T>(body: () => T): T {
  return rule.run('allowed', body)
}

/** Refuses it, also outside of tasks. Celery: `denied_join_result`. */
export function deniedJoinResult<T>(body: () => T): T {
  return rule.run('denied', body)
}

export interface JoinOptions {
  /** Refuse to wait inside of a running task with `WouldBlockError`; default true. */
  readonly disableSyncSubtasks?: boolean | undefined
}

/** Throws `WouldBlockError` where waiting is refused. Celery: `assert_will_not_block`. */
export function assertMayJoin(
  { disableSyncSubtasks = true }: JoinOptions,
  isInTask: () => boolean,
): void {
  if (!disableSyncSubtasks) return
  const said = rule.getStore()
  if (said === 'denied' || (said === undefined && isInTask())) throw new WouldBlockError()
}
