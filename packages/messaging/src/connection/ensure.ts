/** Work on a channel that is done again when the link breaks under it. */
import { sleep } from '../kernel/clock.ts'
import { messageOf, MessagingError } from '../kernel/errors.ts'
import type { Channel } from '../transport/channel.ts'
import type { Link } from '../transport/link.ts'

export interface EnsureOptions {
  /** Tries after the first; default no limit. */
  readonly retries?: number
  /** Seconds for all of it; default 30. */
  readonly timeout?: number
  /** Called before each further try. */
  readonly onRetry?: (error: MessagingError, attempt: number) => void
  readonly signal?: AbortSignal
}

const pauseMs = { first: 20, longest: 1000 }

/** See `Connection.ensure`. */
export async function ensure<T>(
  link: Link,
  work: (channel: Channel) => Promise<T>,
  { retries = Infinity, timeout = 30, onRetry, signal }: EnsureOptions,
): Promise<T> {
  const { clock } = link.ambient
  const late = new AbortController()
  const cancel = clock.after(timeout * 1000, () => late.abort())
  const stop = signal ? AbortSignal.any([late.signal, signal]) : late.signal
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        const { channel } = await link.openChannel(stop)
        try {
          return await untilAborted(work(channel), stop)
        } finally {
          // Out of time, it closes behind our back.
          await untilAborted(channel.close(), stop).catch(() => undefined)
        }
      } catch (thrown) {
        signal?.throwIfAborted()
        if (!MessagingError.is(thrown) || !isMendable(thrown) || attempt > retries) throw thrown
        if (late.signal.aborted) throw timedOut(timeout, attempt, thrown)
        onRetry?.(thrown, attempt)
        await sleep(clock, Math.min(pauseMs.first * 2 ** attempt, pauseMs.longest), stop)
      }
    }
  } finally {
    cancel()
  }
}

/** False also for what is refused for what it asks, on a channel that fell with it: a new one refuses it, too. */
function isMendable({ fault, code }: MessagingError): boolean {
  const isRefusal = code === 'MESSAGING_DECLARATION_REFUSED' || code === 'MESSAGING_QUEUE_NOT_FOUND'
  return (fault === 'connection' || fault === 'channel') && !isRefusal
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort!: () => void
  const aborted = new Promise<never>((_, reject) => {
    abort = () =>
      reject(
        new MessagingError('MESSAGING_TIMEOUT', 'connection', 'the broker did not answer in time'),
      )
  })
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function timedOut(seconds: number, attempts: number, cause: MessagingError): MessagingError {
  return new MessagingError(
    'MESSAGING_TIMEOUT',
    'connection',
    `not done within ${seconds} s, tried ${attempts} times: ${messageOf(cause)}`,
    { cause },
  )
}
