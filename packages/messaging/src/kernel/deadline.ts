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
