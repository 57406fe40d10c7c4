/** Values that a database does not take: another day will not mend that. */
import { MessagingError } from '@celeriac/messaging'
import { databaseCode } from './dialect.ts'
import { tooLarge } from './rows.ts'

/** SQLSTATEs of PostgreSQL for data that is wrong or too much. */
const state = /^(?:22|54)[0-9A-Z]{3}$/

export function isValueRefused(error: unknown): boolean {
  if (!MessagingError.is(error)) return false
  return error.code === 'MESSAGING_TOO_LARGE' || state.test(String(databaseCode(error)))
}

/** The same, by the code that says so. */
export function asRefused(error: unknown): unknown {
  if (!isValueRefused(error)) return error
  return tooLarge((error as MessagingError).message, error)
}
