/**
 * Hands batches to the broker until a deadline: opens a channel when there is none, declares what must
 * exist once for each, and sends again what a broken link left in the dark.
 */
import { messageOf, MessagingError } from '../kernel/errors.ts'
import { sleep } from '../kernel/clock.ts'
import { LazyAbort } from '../kernel/deadline.ts'
import type { Exchange } from '../topology/exchange.ts'
import type { Queue } from '../topology/queue.ts'
import type { Channel, Publication, PublishFailures } from '../transport/channel.ts'
import { declareEntity } from '../transport/declare.ts'
import type { Link } from '../transport/link.ts'

export interface Waiting {
  readonly publication: Publication
  readonly declare: readonly (Exchange | Queue)[] | undefined
}

/** Pause between two tries of a publish whose link broke. */
const retryPauseMs = 20

/** Trying these again within the deadline cannot help. */
const refusals = new Set<MessagingError['code']>([
  'MESSAGING_DECLARATION_REFUSED',
  'MESSAGING_NOT_SUPPORTED',
])

/** What became of a batch: final refusals, and those of which nothing is known, by their places. */
interface Progress {
  readonly refused: Map<number, MessagingError>
  /** Places still to be sent. */
  left: readonly number[]
  lastError: unknown
}

export class Sender {
  readonly #link: Link
  #channel: Promise<Channel> | undefined
  /** Entities declared on the current channel; emptied with it. */
  #declared = new WeakSet<object>()

  constructor(link: Link) {
    this.#link = link
  }

  /**
   * Resolves with what was not confirmed, by its place: refusals of the broker, and by the deadline
   * `MESSAGING_PUBLISH_TIMEOUT`. With `retry` false what a broken link left in the dark fails at once.
   */
  async send(
    waiting: readonly Waiting[],
    timeoutMs: number,
    retry = true,
  ): Promise<PublishFailures> {
    const progress: Progress = {
      refused: new Map(),
      left: [...waiting.keys()],
      lastError: undefined,
    }
    const deadline = new LazyAbort()
    let late!: () => void
    const expired = new Promise<void>((resolve) => (late = resolve))
    const cancel = this.#link.ambient.clock.after(timeoutMs, () => {
      deadline.abort()
      // Whoever hears of the abort may still say what it was waiting for.
      setImmediate(late)
    })
    try {
      await Promise.race([this.#try(waiting, progress, retry, deadline), expired])
    } finally {
      cancel()
    }
    const { refused, left, lastError } = progress
    // At once for all of them: what answers after the deadline is not to change what was reported.
    const failures = new Map(refused)
    const unknown =
      !retry && !deadline.aborted
        ? sendCut(lastError)
        : left.length > 0 && publishTimeout(timeoutMs, lastError)
    if (unknown) for (const i of left) failures.set(i, unknown)
    this.#link.counters.add('published', waiting.length - failures.size)
    this.#link.counters.add('unpublished', failures.size)
    return failures.size === 0 ? undefined : failures
  }

  async close(): Promise<void> {
    const channel = await this.#channel?.catch(() => undefined)
    await channel?.close()
  }

  async #try(
    waiting: readonly Waiting[],
    progress: Progress,
    retry: boolean,
    deadline: LazyAbort,
  ): Promise<void> {
    const { clock } = this.#link.ambient
    while (progress.left.length > 0) {
      let isDark = false
      try {
        const channel = await this.#openChannel(deadline)
        await this.#declareAll(channel, waiting, progress, deadline)
        if (deadline.aborted) return
        isDark = true
        await this.#publish(channel, waiting, progress)
      } catch (error) {
        const isFinal =
          MessagingError.is(error) && (error.fault === 'message' || error.fault === 'fatal')
        if (isFinal && !deadline.aborted) {
          for (const i of progress.left) progress.refused.set(i, error)
          progress.left = []
        }
        progress.lastError = error
      }
      // What was never handed over can be sent without a doubt.
      if (deadline.aborted || (isDark && !retry) || progress.left.length === 0) return
      await sleep(clock, retryPauseMs, deadline.signal)
    }
  }

  async #publish(channel: Channel, waiting: readonly Waiting[], progress: Progress): Promise<void> {
    const places = progress.left
    const failures = await channel.publish(places.map((i) => waiting[i]!.publication))
    const left: number[] = []
    for (const [at, error] of failures ?? []) {
      const place = places[at]!
      if (error.fault === 'message' || error.fault === 'fatal') progress.refused.set(place, error)
      else {
        left.push(place)
        progress.lastError = error
      }
    }
    progress.left = left.toSorted((a, b) => a - b)
  }

  /** What cannot be declared fails those that ask for it, not those that happen to travel with them. */
  async #declareAll(
    channel: Channel,
    waiting: readonly Waiting[],
    progress: Progress,
    deadline: LazyAbort,
  ): Promise<void> {
    for (const i of progress.left) {
      const { declare } = waiting[i]!
      if (!declare) continue
      try {
        await this.#declare(channel, declare, deadline)
      } catch (error) {
        if (!MessagingError.is(error) || !refusals.has(error.code)) throw error
        progress.refused.set(i, error)
      }
    }
    if (progress.refused.size > 0)
      progress.left = progress.left.filter((i) => !progress.refused.has(i))
  }

  async #declare(
    channel: Channel,
    entities: readonly (Exchange | Queue)[],
    deadline: LazyAbort,
  ): Promise<void> {
    for (const entity of entities) {
      if (this.#declared.has(entity)) continue
      if ('exclusive' in entity && entity.exclusive) await this.#declareOwn(entity, deadline.signal)
      else await declareEntity(channel, entity)
      this.#declared.add(entity)
    }
  }

  /** A queue of one link belongs to the link that consumes. */
  async #declareOwn(queue: Queue, signal: AbortSignal): Promise<void> {
    const { channel } = await this.#link.openChannel(signal)
    try {
      await declareEntity(channel, queue)
    } finally {
      await channel.close()
    }
  }

  #openChannel(deadline: LazyAbort): Promise<Channel> {
    this.#channel ??= this.#newChannel(deadline.signal).catch((error: unknown) => {
      this.#channel = undefined
      throw error
    })
    return this.#channel
  }

  async #newChannel(signal: AbortSignal): Promise<Channel> {
    const { channel } = await this.#link.openChannel(signal, 'publish')
    this.#declared = new WeakSet()
    void channel.closed.then(() => (this.#channel = undefined))
    return channel
  }
}

function publishTimeout(timeoutMs: number, cause: unknown): MessagingError {
  const why = cause === undefined ? 'the broker did not confirm it' : messageOf(cause)
  return new MessagingError(
    'MESSAGING_PUBLISH_TIMEOUT',
    'message',
    `the publish was not confirmed within ${timeoutMs} ms: ${why}`,
    { cause },
  )
}

function sendCut(cause: unknown): MessagingError {
  // Turned away at the door: nothing was stored.
  if (MessagingError.is(cause) && cause.code === 'MESSAGING_PUBLISH_REFUSED')
    return new MessagingError(cause.code, 'message', cause.message, { cause })
  return new MessagingError(
    'MESSAGING_CONNECTION_LOST',
    'message',
    `the link broke before the broker confirmed it, which may have stored it or not: ${messageOf(cause)}`,
    { cause },
  )
}
