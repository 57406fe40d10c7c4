/** How a task that did not succeed is reported. */
import type { RemoteError, TaskRevokedError } from '@celeriac/tasks'

/** What the task's error is to the one who waited for it; other errors are returned as they are. */
export function outcomeError(error: unknown, task: string): unknown {
  if (isNamed<TaskRevokedError>(error, 'TaskRevokedError')) {
    return Object.assign(new Error(`task ${task} was revoked: ${error.reason}`), {
      code: error.code,
    })
  }
  if (isRemote(error)) {
    return Object.assign(new Error(`task ${task} failed: ${error.message}`, { cause: error }), {
      code: 'TASKS_FAILED',
    })
  }
  return error
}

/** Also those that came back as an instance of their class. */
function isRemote(error: unknown): error is RemoteError {
  return error instanceof Error && typeof (error as Partial<RemoteError>).excType === 'string'
}

/** By its name: the app may bring another copy of the package, where `instanceof` is false. */
function isNamed<E extends Error>(error: unknown, name: E['name']): error is E {
  return error instanceof Error && error.name === name
}
