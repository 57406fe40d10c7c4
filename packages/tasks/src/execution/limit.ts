/** A limit for what is called around a task: what never ends must not keep its place for ever. */
import { sleep } from '@celeriac/messaging/internal'
import type { Clock } from '@celeriac/messaging'
import { TimeLimitExceeded } from '../kernel/errors.ts'

/** Rejects with `TimeLimitExceeded` when `work` takes more than so many seconds; undefined is no limit. */
export async function atMost(
  clock: Clock,
  seconds: number | undefined,
  work: () => unknown,
): Promise<void> {
  if (seconds === undefined) return void (await work())
  const over = new AbortController()
  const late = async (): Promise<never> => {
    await sleep(clock, seconds * 1000, over.signal)
    throw new TimeLimitExceeded(seconds)
  }
  try {
    await Promise.race([work(), late()])
  } finally {
    over.abort()
  }
}
