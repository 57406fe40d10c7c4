/** Repeats an attempt with growing, jittered pauses until it succeeds, gives up or is told to stop. */
import pRetry, { AbortError } from 'p-retry'
import type { Ambient } from './ambient.ts'
import { MessagingError } from './errors.ts'

export interface RetryPolicy {
  /** Attempts after the first one; `Infinity` goes on until the signal aborts. */
  readonly retries: number
  /** First pause in milliseconds; it doubles each time. */
  readonly minMs: number
  /** Longest pause in milliseconds. */
  readonly maxMs: number
}

/** Reconnecting: for ever, and often enough to be back within two seconds of the server. */
export const reconnectPolicy: RetryPolicy = { retries: Infinity, minMs: 50, maxMs: 1000 }

/**
 * Runs `attempt` until it succeeds. An error with fault `fatal` is not tried again; `onFailure` sees
 * every error before the pause.
 */
export async function retry<T>(
  attempt: (number: number) => Promise<T>,
  policy: RetryPolicy,
  ambient: Pick<Ambient, 'random'>,
  options: { signal?: AbortSignal; onFailure?: (error: Error, attempt: number) => void } = {},
): Promise<T> {
  // p-retry 7 has no cap of its own: without maxTimeout an endless retry becomes a tight loop.
  return await pRetry(
    async (number) => {
      try {
        return await attempt(number)
      } catch (error) {
        const cause = error instanceof Error ? error : new Error(String(error))
        if (MessagingError.is(error) && error.fault === 'fatal') throw new AbortError(cause)
        // A TypeError would end p-retry's loop; a retry policy is about faults, not classes.
        throw cause instanceof TypeError
          ? Object.assign(new Error(cause.message), { cause })
          : cause
      }
    },
    {
      retries: policy.retries,
      minTimeout: policy.minMs * (0.5 + ambient.random() / 2),
      maxTimeout: policy.maxMs,
      factor: 2,
      unref: false,
      ...(options.signal ? { signal: options.signal } : {}),
      onFailedAttempt: (context) => options.onFailure?.(context.error, context.attemptNumber),
    },
  )
}
