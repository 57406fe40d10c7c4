/** Time as a value that is passed in, so that tests move it instead of waiting for it. */

export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number
  /** Milliseconds that never go backwards; only differences mean something. */
  monotonic(): number
  /**
   * Calls `run` once after `ms`; the returned function cancels. A `background` timer does not keep the
   * process alive.
   */
  after(ms: number, run: () => void, options?: { background?: boolean }): () => void
}

/** Node caps timers at 2^31-1 ms; longer waits are made of several. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run, options) {
    let timer: NodeJS.Timeout
    const arm = (left: number): void => {
      const step = Math.min(Math.max(left, 0), LONGEST_TIMER_MS)
      timer = setTimeout(() => (left > step ? arm(left - step) : run()), step)
      if (options?.background) timer.unref()
    }
    arm(ms)
    return () => clearTimeout(timer)
  },
}

/** Resolves after `ms`, or at once when `signal` aborts; never rejects. */
export function sleep(
  clock: Clock,
  ms: number,
  signal?: AbortSignal,
  options?: { background?: boolean },
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(ms, done, options)
    signal?.addEventListener('abort', done, { once: true })
  })
}
