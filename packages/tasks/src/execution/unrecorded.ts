/** The result or what follows could not be stored or sent now: the message has to come again. */
import { MessagingError } from '@celeriac/messaging'
import { TasksError } from '../kernel/errors.ts'

export class Unrecorded extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.name = 'Unrecorded'
  }
}

const outages = new Set<TasksError['code']>([
  'TASKS_BACKEND_FAILED',
  'TASKS_SEND_FAILED',
  'TASKS_STOPPED',
])

/** Throws `Unrecorded` when the same may succeed later; what can never be sent is thrown as it is. */
export async function orUnrecorded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const isOutage = MessagingError.is(error) || (TasksError.is(error) && outages.has(error.code))
    throw isOutage ? new Unrecorded(error) : error
  }
}
