/** Puts an end to waiting: every socket operation of this package has a deadline. */
import type { Clock } from './clock.ts'
import { MessagingError } from './errors.ts'

/** Settles as `work` does, or rejects with `MESSAGING_TIMEOUT` (or `late()`) after `ms`. */
export async function withDeadline<T>(
  work: Promise<T>,
  ms: number,
  clock: Clock,
  what: string,
  late: () => Error = () =>
    new MessagingError('MESSAGING_TIMEOUT', 'connection', `${what} took longer than ${ms} ms`),
): Promise<T> {
  let cancel: (() => void) | undefined
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        cancel = clock.after(ms, () => reject(late()))
      }),
    ])
  } finally {
    cancel?.()
  }
}

/** An AbortController whose signal is made when it is asked for: that takes longer than most of what it would end. */
export class LazyAbort {
  #controller: AbortController | undefined
  #isAborted = false

  get aborted(): boolean {
    return this.#isAborted
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#isAborted) this.#controller.abort()
    }
    return this.#controller.signal
  }

  abort(): void {
    this.#isAborted = true
    this.#controller?.abort()
  }
}
