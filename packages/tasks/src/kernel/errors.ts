/**
 * Every error of this package, with stable codes, and the three things a task throws to steer what
 * happens to it: Retry, Ignore, Reject. Class names are Celery's, so that they mean the same on the wire.
 */

/** Stable names of everything that can go wrong here. Texts may change, codes do not. */
export type TasksCode =
  | ConfigCode
  | SecurityCode
  | 'TASKS_APP_NOT_FOUND'
  | 'TASKS_APP_INVALID'
  | 'TASKS_UNKNOWN_TASK'
  | 'TASKS_ALREADY_REGISTERED'
  | 'TASKS_ARGUMENTS_INVALID'
  | 'TASKS_SIGNATURE_INVALID'
  | 'TASKS_MESSAGE_INVALID'
  | 'TASKS_SCHEDULE_INVALID'
  | 'TASKS_QUEUE_NOT_FOUND'
  | 'TASKS_ROUTE_INVALID'
  | 'TASKS_SEND_FAILED'
  | 'TASKS_NOT_READY'
  | 'TASKS_WOULD_BLOCK'
  | 'TASKS_INCOMPLETE'
  | 'TASKS_TIMEOUT'
  | 'TASKS_ABORTED'
  | 'TASKS_FAILED'
  | 'TASKS_BACKEND_FAILED'
  | 'TASKS_BACKEND_DISABLED'
  | 'TASKS_RESULT_INVALID'
  | 'TASKS_SOFT_TIME_LIMIT'
  | 'TASKS_TIME_LIMIT'
  | 'TASKS_WORKER_LOST'
  | 'TASKS_REVOKED'
  | 'TASKS_TERMINATED'
  | 'TASKS_CHORD_FAILED'
  | 'TASKS_MAX_RETRIES'
  | 'TASKS_POOL_FAILED'
  | 'TASKS_STORE_FAILED'
  | 'TASKS_CONTROL_FAILED'
  | 'TASKS_STOPPED'
  | 'TASKS_DUPLICATE'
  | 'TASKS_NOT_SUPPORTED'

export type ConfigCode =
  | 'TASKS_CONFIG_UNKNOWN'
  | 'TASKS_CONFIG_INVALID'
  | 'TASKS_CONFIG_MIXED'
  | 'TASKS_CONFIG_LOAD_FAILED'

export type SecurityCode =
  | 'TASKS_SECURITY_KEY_INVALID'
  | 'TASKS_SECURITY_CERTIFICATE_INVALID'
  | 'TASKS_SECURITY_CERTIFICATE_EXPIRED'
  | 'TASKS_SECURITY_CERTIFICATE_DUPLICATE'
  | 'TASKS_SECURITY_MESSAGE_INVALID'
  | 'TASKS_SECURITY_SIGNER_UNKNOWN'
  | 'TASKS_SECURITY_SIGNATURE_INVALID'
  | 'TASKS_SECURITY_CONTENT_REFUSED'

const brand = Symbol.for('celeriac.tasks.error')

/** Root of every error this package throws; `code` is stable, `message` is not. */
export class TasksError extends Error {
  readonly code: TasksCode
  readonly [brand] = true

  constructor(code: TasksCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TasksError'
    this.code = code
  }

  /** Works across two copies of this package, where `instanceof` would not. */
  static is(error: unknown): error is TasksError {
    return typeof error === 'object' && error !== null && brand in error
  }
}

/** A setting that is unknown, of the wrong kind, spelt in two styles, or a file that cannot be read. */
export class ConfigError extends TasksError {
  /** The setting it is about, in camelCase where it is known; undefined when it is about a whole file. */
  readonly key: string | undefined

  constructor(code: ConfigCode, message: string, key?: string, options?: ErrorOptions) {
    super(code, message, options)
    this.name = 'ConfigError'
    this.key = key
  }
}

/** A key or certificate that cannot be used, or a message that is not signed by somebody who is trusted. */
export class SecurityError extends TasksError {
  constructor(code: SecurityCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
    this.name = 'SecurityError'
  }
}

/** No task of that name is registered here. */
export class NotRegistered extends TasksError {
  readonly task: string

  constructor(task: string, hint = '') {
    super('TASKS_UNKNOWN_TASK', `no task '${task}' is registered here.${hint}`)
    this.name = 'NotRegistered'
    this.task = task
  }
}

/** A result did not come in time. The task itself goes on. */
export class TimeoutError extends TasksError {
  constructor(message = 'the operation timed out') {
    super('TASKS_TIMEOUT', message)
    this.name = 'TimeoutError'
  }
}

/** A task was about to wait for another task, which may never get the slot it needs. */
export class WouldBlockError extends TasksError {
  constructor() {
    super(
      'TASKS_WOULD_BLOCK',
      'a task must not wait for the result of another: it keeps its slot meanwhile, and all slots may wait; use a chain or a chord, or disableSyncSubtasks: false if it cannot happen here',
    )
    this.name = 'WouldBlockError'
  }
}

/** A tree of results was walked before all of its tasks had ended. */
export class IncompleteStream extends TasksError {
  constructor(id: string) {
    super(
      'TASKS_INCOMPLETE',
      `${id} has not ended, so it is not known yet what it has sent; wait for it, or walk with intermediate: true`,
    )
    this.name = 'IncompleteStream'
  }
}

/** Given to the running task when its soft limit has passed; it may tidy up and return. */
export class SoftTimeLimitExceeded extends TasksError {
  readonly seconds: number

  constructor(seconds: number) {
    super('TASKS_SOFT_TIME_LIMIT', `soft time limit (${seconds}s) exceeded`)
    this.name = 'SoftTimeLimitExceeded'
    this.seconds = seconds
  }
}

/** The task was stopped by force at its hard limit. */
export class TimeLimitExceeded extends TasksError {
  readonly seconds: number

  constructor(seconds: number) {
    super('TASKS_TIME_LIMIT', `hard time limit (${seconds}s) exceeded`)
    this.name = 'TimeLimitExceeded'
    this.seconds = seconds
  }
}

/** The process that ran the task is gone. */
export class WorkerLostError extends TasksError {
  constructor(message: string) {
    super('TASKS_WORKER_LOST', message)
    this.name = 'WorkerLostError'
  }
}

/** The running task was ended by a signal. */
export class Terminated extends TasksError {
  readonly signal: string

  constructor(signal: string) {
    super('TASKS_TERMINATED', `terminated by ${signal}`)
    this.name = 'Terminated'
    this.signal = signal
  }
}

/** A task asked for one retry more than it may have, and gave no error of its own to fail with. */
export class MaxRetriesExceededError extends TasksError {
  constructor(task: string, id: string, options?: ErrorOptions) {
    super('TASKS_MAX_RETRIES', `cannot retry ${task}[${id}]: no retries are left`, options)
    this.name = 'MaxRetriesExceededError'
  }
}

/** What arrived is no call the task takes: its arguments were refused by its schema. */
export class InvalidTaskError extends TasksError {
  constructor(message: string, options?: ErrorOptions) {
    super('TASKS_ARGUMENTS_INVALID', message, options)
    this.name = 'InvalidTaskError'
  }
}

/** The task was revoked; `reason` is `revoked`, `terminated` or `expired`, as on the wire. */
export class TaskRevokedError extends TasksError {
  readonly reason: string

  constructor(reason = 'revoked') {
    super('TASKS_REVOKED', reason)
    this.name = 'TaskRevokedError'
    this.reason = reason
  }
}

/** A header task of a chord did not succeed, so its body cannot run. */
export class ChordError extends TasksError {
  constructor(message: string, options?: ErrorOptions) {
    super('TASKS_CHORD_FAILED', message, options)
    this.name = 'ChordError'
  }
}

const steering = Symbol.for('celeriac.tasks.steering')

/** What a task throws to say how its message is to be settled; never a failure. */
abstract class Steering extends Error {
  abstract readonly kind: 'retry' | 'ignore' | 'reject' | 'replace'
  readonly [steering] = true
}

export interface RetryOptions {
  /** What went wrong; becomes the failure when no retries are left. */
  readonly cause?: unknown
  /** Seconds until the next attempt. */
  readonly countdown?: number
  /** Time of the next attempt; wins over `countdown`. */
  readonly eta?: Date
  /** Attempts after the first; null for no limit, absent for the task's own. */
  readonly maxRetries?: number | null
  /** Other arguments for the next attempt. */
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  /** Other execution options for the next attempt (queue, priority, time limits …). */
  readonly options?: Readonly<Record<string, unknown>>
}

/** Thrown by a task that wants to run again; usually made by `this.retry(…)`. */
export class Retry extends Steering {
  readonly kind = 'retry'
  readonly options: RetryOptions

  constructor(message = 'the task is to be retried', options: RetryOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'Retry'
    this.options = options
  }
}

/** Thrown by a task that ends without a result: its message is acknowledged, nothing is stored. */
export class Ignore extends Steering {
  readonly kind = 'ignore'

  constructor(message = 'the task is ignored') {
    super(message)
    this.name = 'Ignore'
  }
}

/** Thrown by a task whose message is to be rejected: parked as a dead letter, or back into its queue. */
export class Reject extends Steering {
  readonly kind = 'reject'
  readonly reason: unknown
  readonly requeue: boolean

  constructor(reason: unknown = 'the task rejects its message', requeue = false) {
    super(reason instanceof Error ? reason.message : String(reason), { cause: reason })
    this.name = 'Reject'
    this.reason = reason
    this.requeue = requeue
  }
}

/** Made by `this.replace(…)`: another signature takes the place of the task. */
export class Replaced extends Steering {
  readonly kind = 'replace'
  readonly signature: unknown

  constructor(signature: unknown) {
    super('the task is replaced by another')
    this.name = 'Replaced'
    this.signature = signature
  }
}

/** True for Retry, Ignore, Reject and Replaced, also those of another copy of this package. */
export function isSteering(thrown: unknown): thrown is Retry | Ignore | Reject | Replaced {
  return typeof thrown === 'object' && thrown !== null && steering in thrown
}
