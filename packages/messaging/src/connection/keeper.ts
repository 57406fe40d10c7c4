/**
 * Keeps one link: opens it when first needed, hands the session to everyone who asks, and opens the next
 * one after a fault, for as long as anyone waits for it.
 */
import { asMessagingError, messageOf, MessagingError } from '../kernel/errors.ts'
import type { Ambient } from '../kernel/ambient.ts'
import { reconnectPolicy, retry } from '../kernel/retry.ts'
import type { Session } from '../transport/transport.ts'

/** What a keeper asks of its connection, and tells it. */
export interface KeeperOptions {
  readonly ambient: Ambient
  /** The URLs as they may be shown. */
  readonly urls: readonly string[]
  /** One attempt, at the next URL. `previous`: the session whose link was lost. */
  connect(
    previous: Session | undefined,
    onBlocked: (reason: string | undefined) => void,
  ): Promise<{ session: Session; url: string }>
  onConnected(session: Session, url: string, recovered: boolean): void
  onLost(error: MessagingError): void
  onRetrying(error: Error, attempt: number): void
  onBlocked(reason: string | undefined): void
}

/** An attempt to connect that several callers wait for. */
interface Opening {
  readonly promise: Promise<Session>
  readonly stop: AbortController
  waiters: number
  /** Why the last try failed. */
  lastError: Error | undefined
}

export class Keeper {
  readonly #options: KeeperOptions
  #session: Session | undefined
  /** Lost with its link; the next one may go on with what it held. */
  #lost: Session | undefined
  #opening: Opening | undefined
  #wasConnected = false
  #isClosed = false
  #blocked: string | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** The session at hand, if there is one. */
  get current(): Session | undefined {
    return this.#session
  }

  get isOpening(): boolean {
    return this.#opening !== undefined
  }

  /** True once it was connected, whether it is now or not. */
  get wasConnected(): boolean {
    return this.#wasConnected
  }

  /** Why the broker takes no messages, while it takes none. */
  get blocked(): string | undefined {
    return this.#blocked
  }

  /** One attempt for each of `count` URLs; rejects with the last one's error. */
  async connect(count: number, timeoutMs: number): Promise<void> {
    if (this.#session || this.#opening) {
      await this.session(AbortSignal.timeout(timeoutMs * count))
      return
    }
    let failure: unknown
    for (let i = 0; i < count; i++) {
      this.#check()
      try {
        await this.#attempt()
        return
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  /** The current session, opened when there is none; rejects when `signal` aborts first. */
  async session(signal: AbortSignal): Promise<Session> {
    for (;;) {
      if (this.#session) return this.#session
      this.#check()
      this.#opening ??= this.#open()
      const opening = this.#opening
      try {
        return await this.#wait(opening, signal)
      } catch (error) {
        // Given up by those who waited before: this one still wants it.
        if (!opening.stop.signal.aborted || signal.aborted || this.#isClosed) throw error
      }
    }
  }

  async #wait(opening: Opening, signal: AbortSignal): Promise<Session> {
    opening.waiters++
    let abort!: () => void
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(this.#late(opening.lastError, signal))
    })
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    try {
      return await Promise.race([opening.promise, aborted])
    } finally {
      signal.removeEventListener('abort', abort)
      // Nobody needs the link any more: do not go on knocking.
      if (--opening.waiters === 0 && this.#opening === opening) opening.stop.abort()
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#opening?.stop.abort()
    const session = this.#session
    this.#session = undefined
    await session?.close()
  }

  #check(): void {
    if (this.#isClosed)
      throw new MessagingError('MESSAGING_CONNECTION_CLOSED', 'fatal', 'this connection is closed')
  }

  #late(lastError: Error | undefined, signal: AbortSignal): MessagingError {
    const why = lastError === undefined ? '' : `: ${messageOf(lastError)}`
    return new MessagingError(
      'MESSAGING_TIMEOUT',
      'connection',
      `no connection to ${this.#options.urls.join(' or ')} in time${why}`,
      { cause: lastError ?? signal.reason },
    )
  }

  #open(): Opening {
    const stop = new AbortController()
    const promise = retry(() => this.#attemptAgain(), reconnectPolicy, this.#options.ambient, {
      signal: stop.signal,
      onFailure: (error, attempt) => {
        opening.lastError = error
        this.#options.onRetrying(error, attempt)
      },
    })
      .catch((error: unknown) => {
        throw asMessagingError(error, 'MESSAGING_ABORTED', 'connection', 'connecting')
      })
      .finally(() => (this.#opening = undefined))
    promise.catch(() => undefined)
    const opening: Opening = { promise, stop, waiters: 0, lastError: undefined }
    return opening
  }

  async #attemptAgain(): Promise<Session> {
    try {
      return await this.#attempt()
    } catch (error) {
      // What worked once is worth waiting for: a broker that restarts refuses logins for a while.
      if (this.#wasConnected && MessagingError.is(error) && error.fault === 'fatal') {
        throw new MessagingError(error.code, 'connection', error.message, { cause: error })
      }
      throw error
    }
  }

  async #attempt(): Promise<Session> {
    const opened: { session?: Session } = {}
    const { session, url } = await this.#options.connect(this.#lost, (reason) => {
      if (opened.session === undefined || this.#session === opened.session) this.#onBlocked(reason)
    })
    opened.session = session
    const current = this.#session
    if (current || this.#isClosed) {
      // Nobody would ever close it: another caller's attempt was faster, or the connection is closed.
      session.close().catch(() => undefined)
      this.#check()
      if (current) return current
    }
    const recovered = this.#wasConnected
    this.#session = session
    this.#lost = undefined
    this.#wasConnected = true
    void session.closed.then((error) => {
      if (this.#session !== session) return
      this.#session = undefined
      this.#onBlocked(undefined)
      if (!error) return
      this.#lost = session
      this.#options.onLost(error)
    })
    this.#options.onConnected(session, url, recovered)
    return session
  }

  #onBlocked(reason: string | undefined): void {
    if (this.#blocked === reason) return
    this.#blocked = reason
    this.#options.onBlocked(reason)
  }
}
