/** What a task must offer to be run; app/task.ts satisfies it. */
import type { DeliveryOptions } from '../canvas/signature.ts'
import type { TaskContext } from './context.ts'

export interface Runnable {
  readonly name: string
  readonly options: RunOptions
  /** Names of the function's parameters, in order; undefined when they cannot be told. */
  readonly params: readonly string[] | undefined
  readonly run: (this: TaskContext, ...args: unknown[]) => unknown
}

/** Errors that a policy speaks of: a class, a name of an error, or a test. */
export type ErrorMatcher =
  (abstract new (...args: never[]) => Error) | string | ((error: unknown) => boolean)

/** How a task is run, and how it is sent unless the call says otherwise. Times in seconds. */
export interface RunOptions {
  /** Attempts after the first one; null for no limit. Default 3. */
  readonly maxRetries?: number | null
  /** Seconds before a retry that names no countdown. Default 180. */
  readonly defaultRetryDelay?: number
  /** Errors after which the task is tried again by itself. */
  readonly autoretryFor?: readonly ErrorMatcher[]
  /** Errors that are never retried, whatever `autoretryFor` says. */
  readonly dontAutoretryFor?: readonly ErrorMatcher[]
  /**
   * Growing pauses for automatic retries: true begins with 1 s, a number with that many. Default true
   * where `autoretryFor` is given; false takes `defaultRetryDelay`.
   */
  readonly retryBackoff?: boolean | number
  /** Longest pause in seconds; default 600. */
  readonly retryBackoffMax?: number
  /** Pauses are random between 0 and their length, so that failures spread out. Default true. */
  readonly retryJitter?: boolean
  /** Expected errors: they fail the task, but are logged as information. */
  readonly throws?: readonly ErrorMatcher[]
  readonly acksLate?: boolean
  readonly acksOnFailureOrTimeout?: boolean
  readonly rejectOnWorkerLost?: boolean
  readonly ignoreResult?: boolean
  readonly storeErrorsEvenIfIgnored?: boolean
  readonly trackStarted?: boolean
  readonly timeLimit?: number
  readonly softTimeLimit?: number
  /** Where and how it is sent. */
  readonly delivery: DeliveryOptions
}
