/**
 * One link to a database, opened with its first use, made again when it breaks, shared by all. What is done
 * over it may be done twice: a link that broke says nothing of what the server did with the last statement.
 */
import { MessagingError, type Clock } from '@celeriac/messaging'
import { sleep, withDeadline } from '@celeriac/messaging/internal'
import { backendClosed } from '../failures.ts'

export interface SqlAnswer {
  readonly rows: readonly unknown[]
  /** Rows that were written. */
  readonly count: number
}

export interface SqlLink {
  /** Resolves once, when the link is over, also by `close`. */
  readonly ended: Promise<unknown>
  /** Rejects with a `MessagingError`. */
  run(sql: string, values: readonly unknown[]): Promise<SqlAnswer>
  close(): Promise<void>
}

export interface LinksOptions {
  readonly clock: Clock
  /** Milliseconds all attempts at one statement may take. */
  readonly deadlineMs: number
  /** The link is closed whenever nobody uses it. */
  readonly isShortLived: boolean
  /** Milliseconds after which a link is replaced by a new one. */
  readonly recycleMs: number
}

const firstPauseMs = 50
const longestPauseMs = 500

export class Links {
  readonly #open: () => Promise<SqlLink>
  readonly #options: LinksOptions
  #current: Promise<SqlLink> | undefined
  #openedMs = 0
  readonly #running = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(open: () => Promise<SqlLink>, options: LinksOptions) {
    this.#open = open
    this.#options = options
  }

  /** Runs a statement; again on a new link when it broke or cannot be had yet, until the deadline. */
  async run(sql: string, values: readonly unknown[]): Promise<SqlAnswer> {
    const { clock, deadlineMs, isShortLived } = this.#options
    const stop = new AbortController()
    const work = withDeadline(
      this.#persist(sql, values, stop.signal),
      deadlineMs,
      clock,
      '',
      () => {
        // Nothing that is asked behind this statement would be answered either.
        void this.#drop()
        const why = `the database did not answer within ${deadlineMs} ms`
        return new MessagingError('MESSAGING_TIMEOUT', 'connection', why)
      },
    )
    this.#running.add(work)
    try {
      return await work
    } finally {
      stop.abort()
      this.#running.delete(work)
      if (isShortLived && this.#running.size === 0) void this.#drop()
    }
  }

  /** What is under way may end. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#running)
    await this.#drop()
  }

  async #persist(sql: string, values: readonly unknown[], signal: AbortSignal): Promise<SqlAnswer> {
    const { clock, deadlineMs } = this.#options
    const endMs = clock.monotonic() + deadlineMs
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const link = this.#link()
      try {
        return await (await link).run(sql, values)
      } catch (error) {
        if (!isLost(error) || signal.aborted || clock.monotonic() + pauseMs >= endMs) throw error
        this.#forget(link)
      }
      await sleep(clock, pauseMs)
    }
  }

  #link(): Promise<SqlLink> {
    if (this.#isClosed) return Promise.reject(backendClosed())
    const { clock, recycleMs } = this.#options
    const isOld = clock.monotonic() - this.#openedMs > recycleMs
    if (isOld && this.#running.size === 0) void this.#drop()
    if (this.#current) return this.#current
    this.#openedMs = clock.monotonic()
    const opening = this.#open()
    this.#current = opening
    opening.then(
      (link) => link.ended.then(() => this.#forget(opening)),
      () => this.#forget(opening),
    )
    return opening
  }

  #forget(link: Promise<SqlLink>): void {
    if (this.#current === link) this.#current = undefined
  }

  async #drop(): Promise<void> {
    const current = this.#current
    this.#current = undefined
    const link = await current?.catch(() => undefined)
    await link?.close()
  }
}

function isLost(error: unknown): boolean {
  return (
    MessagingError.is(error) &&
    error.fault === 'connection' &&
    error.code !== 'MESSAGING_STORE_FAILED'
  )
}
