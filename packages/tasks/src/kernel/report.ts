/** How one execution ended, as it is recorded, followed and reported. */

/** What the executor tells the worker: enough to settle the message, log and send events. Plain data. */
export interface ExecutionReport {
  readonly id: string
  readonly task: string
  readonly state: 'SUCCESS' | 'FAILURE' | 'RETRY' | 'IGNORED' | 'REJECTED'
  /** For REJECTED: whether the message goes back to its queue. */
  readonly requeue: boolean
  /** Seconds. */
  readonly runtime: number
  /** Short text of the result or the error, secrets already redacted. */
  readonly summary: string
  readonly errorType: string | undefined
  readonly traceback: string | undefined
  /** The task had announced errors of this kind (`throws`). */
  readonly expected: boolean
  /** Epoch milliseconds of the next attempt, for RETRY. */
  readonly retryAtMs: number | undefined
  /**
   * The result or what follows could not be stored or sent. The message must not be acknowledged: it
   * goes back, so that nothing is lost.
   */
  readonly unrecorded: string | undefined
  /** Why the task refuses its arguments: the failure is stored, and the message put aside. */
  readonly invalid: string | undefined
}
