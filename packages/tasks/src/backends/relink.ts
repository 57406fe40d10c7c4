/**
 * A link that is opened when it is needed and made anew when it was lost. What was under way then is asked
 * again as long as its time lasts, so it must do no harm twice.
 */
import { MessagingError, type Clock } from '@celeriac/messaging'
import { sleep } from '@celeriac/messaging/internal'
import { backendClosed } from './failures.ts'

const firstPauseMs = 50
const longestPauseMs = 500

export interface RelinkOptions<L> {
  open(): Promise<L>
  isOver(link: L): boolean
  close(link: L): Promise<void> | void
  readonly clock: Clock
  /** Longest `run` goes on beginning anew. */
  readonly timeoutMs: number
}

export class Relink<L> {
  readonly #options: RelinkOptions<L>
  #link: Promise<L> | undefined
  #isClosed = false
  #hasStood = false

  constructor(options: RelinkOptions<L>) {
    this.#options = options
  }

  /**
   * Again after a fault of the link; `once`: not again after anything was sent. What could never be reached is
   * not tried again.
   */
  async run<T>(work: (link: L) => Promise<T>, { once = false } = {}): Promise<T> {
    const { clock, timeoutMs } = this.#options
    const untilMs = clock.monotonic() + timeoutMs
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      let isSent = false
      try {
        const link = await this.open()
        isSent = true
        return await work(link)
      } catch (error) {
        const isLost = MessagingError.is(error) && error.fault === 'connection'
        const isOver = this.#isClosed || !this.#hasStood || (once && isSent)
        const isLate = clock.monotonic() + pauseMs > untilMs
        if (!isLost || isLate || isOver) throw error
        await sleep(clock, pauseMs)
      }
    }
  }

  /** The link that stands, or a new one. */
  async open(): Promise<L> {
    if (this.#isClosed) throw backendClosed()
    const known = this.#link
    if (known) {
      const link = await known
      if (!this.#options.isOver(link)) return link
    }
    // Somebody else may have begun while this one waited.
    if (!this.#link || this.#link === known) {
      const opening = this.#open()
      this.#link = opening
      opening.catch(() => {
        if (this.#link === opening) this.#link = undefined
      })
    }
    return await this.#link
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const link = await this.#link?.catch(() => undefined)
    if (link) await this.#options.close(link)
  }

  async #open(): Promise<L> {
    const link = await this.#options.open()
    this.#hasStood = true
    if (this.#isClosed) await this.#options.close(link)
    return link
  }
}
