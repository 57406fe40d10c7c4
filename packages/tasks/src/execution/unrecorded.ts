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

/** Why a message was not sent that no other day will mend: running the task again would go on for ever. */
const permanent = new Set<MessagingError['code']>([
  'MESSAGING_TOO_LARGE',
  'MESSAGING_ENCODE_FAILED',
  'MESSAGING_CONTENT_UNKNOWN',
  'MESSAGING_NOT_SUPPORTED',
  'MESSAGING_UNROUTABLE',
  'MESSAGING_DECLARATION_REFUSED',
  'MESSAGING_OPTION_INVALID',
])

function isOutage(error: unknown): boolean {
  const cause = TasksError.is(error) && MessagingError.is(error.cause) ? error.cause : error
  if (MessagingError.is(cause)) return !permanent.has(cause.code)
  return TasksError.is(error) && outages.has(error.code)
}

/** Throws `Unrecorded` when the same may succeed later; what can never be sent is thrown as it is. */
export async function orUnrecorded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw isOutage(error) ? new Unrecorded(error) : error
  }
}

/** What can never succeed, as a value; throws `Unrecorded` like `orUnrecorded`. */
export async function unlessUnrecorded(
  work: () => Promise<void>,
): Promise<{ readonly error: unknown } | undefined> {
  try {
    await orUnrecorded(work)
    return undefined
  } catch (error) {
    if (error instanceof Unrecorded) throw error
    return { error }
  }
}
