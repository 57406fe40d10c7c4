/** What a task can be declared with; checked when it is declared. Times in seconds, names as in Celery. */
import { didYouMean } from '@celeriac/messaging/internal'
import type { DeliveryOptions } from '../canvas/signature.ts'
import type { UniqueOptions } from '../client/unique.ts'
import type { Redaction, RunOptions } from '../execution/runnable.ts'
import { describe } from '../kernel/describe.ts'
import type { Schema } from '../kernel/schema.ts'
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
  checkShapes(task, options)
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

const uniqueModes = new Set(['reject', 'replace', 'throttle', 'debounce', 'keep-last'])

/** What types say, for those who have none: found where a task is declared, not when it first fails. */
function checkShapes(task: string, options: TaskOptions): void {
  const isPlace = (one: unknown): boolean =>
    typeof one === 'string' || (Number.isInteger(one) && (one as number) >= 0)
  const isMatcher = (one: unknown): boolean => typeof one === 'string' || typeof one === 'function'
  const isSchema = (one: unknown): boolean =>
    typeof (one as Partial<Schema> | null)?.['~standard']?.validate === 'function'
  const mustBe = (name: keyof TaskOptions, what: string, isRight: (value: never) => boolean) => {
    const value = options[name]
    if (value === undefined || (value !== null && isRight(value as never))) return
    throw new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      `the option '${name}' of the task '${task}' must be ${what}, not ${describe(value)}`,
    )
  }
  const matchers = 'a list of error classes, names or tests'
  for (const name of ['autoretryFor', 'dontAutoretryFor', 'throws'] as const)
    mustBe(name, matchers, (value: unknown) => Array.isArray(value) && value.every(isMatcher))
  for (const name of ['args', 'result'] as const)
    mustBe(name, 'a schema of a library that speaks Standard Schema', isSchema)
  for (const name of ['before', 'onSuccess', 'onRetry', 'onFailure', 'after'] as const)
    mustBe(name, 'a function', (value: unknown) => typeof value === 'function')
  mustBe(
    'redact',
    'an object with args (places or names, or true) or result',
    (value: Redaction) => {
      const { args } = value
      return args === undefined || args === true || (Array.isArray(args) && args.every(isPlace))
    },
  )
  mustBe(
    'unique',
    "an object with a key (places or names, or a function), a mode, and 'for'",
    isUnique,
  )
  function isUnique({ key, mode = 'reject', for: seconds }: UniqueOptions): boolean {
    const hasKey =
      key === undefined || typeof key === 'function' || (Array.isArray(key) && key.every(isPlace))
    return hasKey && uniqueModes.has(mode) && (seconds === undefined || Number.isFinite(seconds))
  }
}
