/** What a task must offer to be run; app/task.ts satisfies it. */
import type { RetryOptions } from '../kernel/errors.ts'
import type { DeliveryOptions } from '../canvas/signature.ts'
import type { Declared } from '../client/outbox.ts'
import type { UniqueOptions } from '../client/unique.ts'
import type { Schema } from '../kernel/schema.ts'
import type { TaskContext, TaskRequest } from './context.ts'
import type { Arguments } from './redact.ts'

export interface Runnable {
  readonly name: string
  readonly options: RunOptions
  /** Names of the function's parameters, in order; undefined when they cannot be told. */
  readonly params: readonly string[] | undefined
  readonly run: (this: TaskContext, ...args: unknown[]) => unknown
  /** What is secret about one call, for tasks that call others; else what the options say. */
  redactFor?(call: Arguments): Redaction | undefined
  /** What its messages get from its declaration. */
  readonly declared: Declared
}

/** Errors that a policy speaks of: a class, a name of an error, or a test. */
export type ErrorMatcher =
  (abstract new (...args: never[]) => Error) | string | ((error: unknown) => boolean)

/** How a task ended, as `after` is told. */
export interface TaskOutcome {
  readonly state: 'SUCCESS' | 'FAILURE' | 'RETRY'
  /** What it returned, or what was thrown. */
  readonly value: unknown
}

/**
 * Called around every run of a task, where it runs. What `before` throws fails the task; what the others throw
 * is logged and changes nothing. Celery's before_start, on_success, on_retry, on_failure, after_return.
 */
export interface TaskHooks {
  readonly before?: (this: TaskContext, request: TaskRequest) => unknown
  readonly onSuccess?: (this: TaskContext, value: unknown, request: TaskRequest) => unknown
  readonly onRetry?: (this: TaskContext, error: unknown, request: TaskRequest) => unknown
  readonly onFailure?: (this: TaskContext, error: unknown, request: TaskRequest) => unknown
  readonly after?: (this: TaskContext, outcome: TaskOutcome, request: TaskRequest) => unknown
}

/** What of a task's values must not be seen in headers, logs, events and extended results. */
export interface Redaction {
  /** Places (from 0) or names of arguments; true for all of them. */
  readonly args?: readonly (number | string)[] | true
  readonly result?: boolean
}

/** How a task is run, and how it is sent unless the call says otherwise. Times in seconds. */
export interface RunOptions extends TaskHooks {
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
  /** Each of the two alone; default the option above. */
  readonly acksOnFailure?: boolean
  readonly acksOnTimeout?: boolean
  readonly rejectOnWorkerLost?: boolean
  readonly ignoreResult?: boolean
  readonly storeErrorsEvenIfIgnored?: boolean
  readonly trackStarted?: boolean
  readonly timeLimit?: number
  readonly softTimeLimit?: number
  /** Given to automatic retries: `countdown`, `maxRetries`, `eta`, `options` … */
  readonly retryKwargs?: RetryOptions
  /** Remembers the ids of what it sends, as the children of its result; default true. */
  readonly trail?: boolean
  /** Longest text of a result in logs and events; default 1024 characters. */
  readonly resultReprMaxsize?: number
  /** Keeps the results of eager runs in the result backend, too; default the setting. */
  readonly storeEagerResult?: boolean
  /** Checks the list of arguments, where the call is made and where it runs. */
  readonly args?: Schema<unknown, readonly unknown[]>
  /** Checks what the task gives. */
  readonly result?: Schema
  readonly redact?: Redaction
  /** At most one call of a kind is waiting, or running, or is run in a time; see `UniqueOptions`. */
  readonly unique?: UniqueOptions
  /** Where and how it is sent. */
  readonly delivery: DeliveryOptions
}
