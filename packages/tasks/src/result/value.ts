/** What a final record gives to who waits: its value, or the error of the task. */
import type { ResultRecord } from '../backend/result-record.ts'
import { TaskRevokedError } from '../kernel/errors.ts'
import { exceptionStates, propagateStates } from '../kernel/states.ts'
import { decodeFailure } from '../protocol/failures.ts'
import { attachRemote, RemoteError } from '../protocol/remote-error.ts'

export interface ValueOptions {
  /** Throw the task's error; default true. False gives the error instead. */
  readonly propagate?: boolean | undefined
  /** Called with id and value, or error, of each result. */
  readonly callback?: ((id: string, value: unknown) => void) | undefined
}

/** The value of a record. Throws its error unless told otherwise. */
export function outcomeOf(
  id: string,
  record: ResultRecord,
  { propagate = true, callback }: ValueOptions,
  inStack: boolean,
): unknown {
  const value = valueOf(record, inStack)
  if (propagate && propagateStates.has(record.status)) throw value
  callback?.(id, value)
  return value
}

/** The value, or for what failed, was revoked or is tried again the error. */
export function valueOf(record: ResultRecord, inStack: boolean): unknown {
  return exceptionStates.has(record.status) ? errorOf(record, inStack) : record.result
}

/** `inStack`: its stack goes on with where it was thrown, for whoever prints it. */
export function errorOf(record: ResultRecord, inStack: boolean): Error {
  const error = asRevoked(record, decodeFailure(record.result, record.traceback))
  const { traceback } = record
  if (inStack && traceback !== null && traceback !== '') {
    error.stack = `${error.stack ?? String(error)}\n\n${traceback.trimEnd()}`
  }
  return error
}

/** Whatever a peer has stored as the reason of a revoke. */
function asRevoked({ status }: ResultRecord, error: RemoteError): Error {
  if (status !== 'REVOKED' || error instanceof TaskRevokedError) return error
  const [reason] = error.args
  const revoked = new TaskRevokedError(typeof reason === 'string' ? reason : 'revoked')
  return attachRemote(revoked, RemoteError.of(error)!)
}
