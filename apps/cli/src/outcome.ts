/** How a task that did not succeed is reported. */
import { RemoteError, TaskRevokedError } from '@celeriac/tasks'

/** What the task's error is to the one who waited for it; other errors are returned as they are. */
export function outcomeError(error: unknown, task: string): unknown {
  if (error instanceof TaskRevokedError) {
    return Object.assign(new Error(`task ${task} was revoked: ${error.reason}`), {
      code: error.code,
    })
  }
  if (error instanceof RemoteError) {
    return Object.assign(new Error(`task ${task} failed: ${error.message}`, { cause: error }), {
      code: 'TASKS_FAILED',
    })
  }
  return error
}
