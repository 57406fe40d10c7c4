/** What a task can be declared with; checked when it is declared. Times in seconds, names as in Celery. */
import { didYouMean } from '@celeriac/messaging/internal'
import type { DeliveryOptions } from '../canvas/signature.ts'
import type { RunOptions } from '../execution/runnable.ts'
import { TasksError } from '../kernel/errors.ts'

export interface TaskOptions
  extends
    Omit<RunOptions, 'delivery'>,
    Pick<
      DeliveryOptions,
      | 'queue'
      | 'exchange'
      | 'routingKey'
      | 'priority'
      | 'expires'
      | 'serializer'
      | 'compression'
      | 'deliveryMode'
      | 'mandatory'
    > {
  /**
   * Names of the parameters, for callers that send keyword arguments; read from the source when absent,
   * which a minifier may have changed.
   */
  readonly params?: readonly string[]
  /** Accepted for its name: `this` is always the context. */
  readonly bind?: boolean
  /**
   * Refuse calls with too many or too few positional arguments where they are made. The last parameter may be
   * one for keywords, so it may be missing unless this is true. False sends it as it is.
   */
  readonly typing?: boolean
  /** The name logs and monitors show for a call, made from its arguments. */
  readonly shadowName?: (
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
  ) => string | undefined
}

const running = [
  'maxRetries',
  'defaultRetryDelay',
  'autoretryFor',
  'dontAutoretryFor',
  'retryBackoff',
  'retryBackoffMax',
  'retryJitter',
  'throws',
  'acksLate',
  'acksOnFailureOrTimeout',
  'acksOnFailure',
  'acksOnTimeout',
  'rejectOnWorkerLost',
  'ignoreResult',
  'storeErrorsEvenIfIgnored',
  'trackStarted',
  'timeLimit',
  'softTimeLimit',
  'retryKwargs',
  'trail',
  'resultReprMaxsize',
  'storeEagerResult',
  'args',
  'result',
  'redact',
  'unique',
  'before',
  'onSuccess',
  'onRetry',
  'onFailure',
  'after',
] as const satisfies readonly (keyof RunOptions)[]

const sending = [
  'queue',
  'exchange',
  'routingKey',
  'priority',
  'expires',
  'serializer',
  'compression',
  'deliveryMode',
  'mandatory',
  // Celery: limits and ignoreResult of a task also travel in its messages.
  'timeLimit',
  'softTimeLimit',
  'ignoreResult',
] as const satisfies readonly (keyof DeliveryOptions)[]

const known = new Set<string>([...running, ...sending, 'params', 'bind', 'typing', 'shadowName'])

/** Throws `TASKS_ARGUMENTS_INVALID` for an option that does not exist. */
export function splitOptions(
  task: string,
  options: TaskOptions,
): { readonly running: Omit<RunOptions, 'delivery'>; readonly delivery: DeliveryOptions } {
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue
    throw new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      `the task '${task}' has an unknown option '${name}'.${didYouMean(name, known)}`,
    )
  }
  const { softTimeLimit, timeLimit } = options
  if (softTimeLimit !== undefined && timeLimit !== undefined && softTimeLimit >= timeLimit) {
    throw new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      `the task '${task}' has a soft time limit of ${softTimeLimit} s, which must be below its time limit of ${timeLimit} s`,
    )
  }
  const { unique } = options
  const window = unique?.mode === 'throttle' || unique?.mode === 'debounce'
  if (unique && ((unique.for === undefined && window) || (unique.for ?? 1) <= 0)) {
    throw new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      `the task '${task}' is unique by '${unique.mode ?? 'reject'}', for a number of seconds above 0; found ${String(unique.for)}`,
    )
  }
  const pick = (names: readonly string[]): Record<string, unknown> => {
    const picked: Record<string, unknown> = {}
    for (const name of names) {
      const value = options[name as keyof TaskOptions]
      if (value !== undefined) picked[name] = value
    }
    return picked
  }
  return { running: pick(running), delivery: pick(sending) }
}
