/** No result backend: storing does nothing, asking says what to configure. */
import type { ResultBackend } from '../backend/backend.ts'
import type { ResultRecord } from '../backend/result-record.ts'
import type { ResultTree } from '../canvas/result-tree.ts'
import { TasksError } from '../kernel/errors.ts'

export class DisabledBackend implements ResultBackend {
  readonly name = 'disabled'
  readonly capabilities = {
    persistent: false,
    shared: false,
    notifies: false,
    joins: 'none',
    groups: false,
    expires: true,
  } as const

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  encode(): string {
    return ''
  }

  decode(): ResultRecord {
    throw disabled('read a result')
  }

  async store(): Promise<void> {}

  read(): Promise<readonly undefined[]> {
    return refuse('read a result')
  }

  subscribe(): Promise<() => void> {
    return refuse('wait for a result')
  }

  async forget(): Promise<void> {}

  storeGroup(): Promise<void> {
    return refuse('save a group')
  }

  readGroup(): Promise<ResultTree | undefined> {
    return refuse('restore a group')
  }

  async forgetGroup(): Promise<void> {}
}

function refuse<T>(what: string): Promise<T> {
  return Promise.reject(disabled(what))
}

function disabled(what: string): TasksError {
  return new TasksError(
    'TASKS_BACKEND_DISABLED',
    `cannot ${what}: no result backend is configured; set resultBackend, for example to 'redis://localhost/1' or 'sqlite://results.db'`,
  )
}
