/** Anything a task throws → what is to become of it. Pure, but for the source of randomness it is given. */
import { describe } from '../kernel/describe.ts'
import {
  isSteering,
  MaxRetriesExceededError,
  Retry,
  TasksError,
  type RetryOptions,
} from '../kernel/errors.ts'
import type { Signature } from '../canvas/index.ts'
import type { ErrorMatcher, RunOptions } from './runnable.ts'

export type Thrown =
  | { readonly kind: 'failure'; readonly error: unknown; readonly expected: boolean }
  | { readonly kind: 'retry'; readonly retry: Retry }
  | { readonly kind: 'ignore' }
  | { readonly kind: 'replace'; readonly signature: Signature }
  | { readonly kind: 'reject'; readonly reason: unknown; readonly requeue: boolean }

export interface Attempt {
  readonly id: string
  readonly task: string
  readonly retries: number
}

/** Decides what a thrown value means, automatic retries included. */
export function classify(
  thrown: unknown,
  attempt: Attempt,
  options: RunOptions,
  random: () => number,
  backoffByDefault: boolean | number = true,
): Thrown {
  if (isSteering(thrown)) {
    if (thrown.kind === 'ignore') return { kind: 'ignore' }
    if (thrown.kind === 'replace')
      return { kind: 'replace', signature: thrown.signature as Signature }
    if (thrown.kind === 'reject')
      return { kind: 'reject', reason: thrown.reason, requeue: thrown.requeue }
    return { kind: 'retry', retry: thrown }
  }
  const { autoretryFor = [], dontAutoretryFor = [] } = options
  if (
    autoretryFor.some((m) => matches(thrown, m)) &&
    !dontAutoretryFor.some((m) => matches(thrown, m))
  ) {
    const next = nextAttempt(attempt, options, {
      ...options.retryKwargs,
      cause: thrown,
      countdown: countdownOf(attempt.retries, options, random, backoffByDefault),
    })
    if (next instanceof Retry) return { kind: 'retry', retry: next }
  }
  const expected = (options.throws ?? []).some((matcher) => matches(thrown, matcher))
  return { kind: 'failure', error: thrown, expected }
}

/** Celery: a pause in `retryKwargs` counts where no backoff is asked for. */
function countdownOf(
  retries: number,
  options: RunOptions,
  random: () => number,
  backoffByDefault: boolean | number,
): number {
  const fixed = options.retryKwargs?.countdown
  if (fixed !== undefined && !options.retryBackoff) return fixed
  return automaticPause(retries, options, random, backoffByDefault)
}

/** What `retry()` throws: another attempt, or the end of trying. */
export function nextAttempt(attempt: Attempt, options: RunOptions, asked: RetryOptions): Error {
  checkAsked(attempt.task, asked)
  const limit = asked.maxRetries !== undefined ? asked.maxRetries : (options.maxRetries ?? 3)
  const allowed = options.maxRetries === null && asked.maxRetries === undefined ? null : limit
  if (allowed !== null && attempt.retries >= allowed) {
    if (asked.cause instanceof Error) return asked.cause
    return new MaxRetriesExceededError(attempt.task, attempt.id, { cause: asked.cause })
  }
  const why = asked.cause instanceof Error ? asked.cause.message : 'the task is to be retried'
  const countdown = asked.countdown ?? options.defaultRetryDelay ?? 180
  return new Retry(why, asked.eta ? asked : { ...asked, countdown })
}

/** Throws `TASKS_ARGUMENTS_INVALID` for what no message could carry, or no worker read. */
function checkAsked(task: string, { eta, countdown, args, kwargs }: RetryOptions): void {
  const wrong = (what: string, found: unknown): TasksError =>
    new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      `${task}: a retry needs ${what}, not ${describe(found)}`,
    )
  if (eta !== undefined && !(eta instanceof Date && Number.isFinite(eta.getTime())))
    throw wrong('a valid Date as its eta', eta)
  if (countdown !== undefined && !Number.isFinite(countdown))
    throw wrong('a number of seconds as its countdown', countdown)
  if (args !== undefined && !Array.isArray(args)) throw wrong('a list as its args', args)
  if (
    kwargs !== undefined &&
    (typeof kwargs !== 'object' || kwargs === null || Array.isArray(kwargs))
  )
    throw wrong('an object as its kwargs', kwargs)
}

/** Exponential with full jitter: failures that happened together must not come back together. */
export function automaticPause(
  retries: number,
  options: RunOptions,
  random: () => number,
  backoffByDefault: boolean | number = true,
): number {
  const { retryBackoff = backoffByDefault, retryBackoffMax = 600, retryJitter = true } = options
  if (retryBackoff === false) return options.defaultRetryDelay ?? 180
  const first = retryBackoff === true ? 1 : retryBackoff
  const longest = Math.min(retryBackoffMax, first * 2 ** retries)
  return retryJitter ? random() * longest : longest
}

function matches(thrown: unknown, matcher: ErrorMatcher): boolean {
  if (typeof matcher === 'string') {
    const { name, excType, code } = (thrown ?? {}) as Record<string, unknown>
    return name === matcher || excType === matcher || code === matcher
  }
  if (isErrorClass(matcher)) return thrown instanceof matcher
  return matcher(thrown)
}

function isErrorClass(
  matcher: Exclude<ErrorMatcher, string>,
): matcher is abstract new (...args: never[]) => Error {
  return matcher === Error || matcher.prototype instanceof Error
}
