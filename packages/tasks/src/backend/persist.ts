/** Repeats what fails because the store of results is away, until it is back or the app closes. */
import type { Ambient } from '@celeriac/messaging'
import { MessagingError } from '@celeriac/messaging'
import { retry } from '@celeriac/messaging/internal'
import type { Config } from '../config/options.ts'
import { TasksError } from '../kernel/errors.ts'

/** True for a store that may answer another time; a wrong password will not. */
export function isAway(error: unknown): boolean {
  if (!TasksError.is(error) || error.code !== 'TASKS_BACKEND_FAILED') return false
  return !(MessagingError.is(error.cause) && error.cause.fault === 'fatal')
}

export class Persistence {
  readonly #config: Config
  readonly #ambient: Ambient
  readonly #closing = new AbortController()
  #saidAtMs = -Infinity

  constructor(config: Config, ambient: Ambient) {
    this.#config = config
    this.#ambient = ambient
  }

  /** Ends all repeating with the last error. */
  close(): void {
    this.#closing.abort()
  }

  /** Rejects with the last error when it is no outage, when no attempts are left, or at the end. */
  readonly persist = async <T>(work: () => Promise<T>): Promise<T> => {
    const { resultBackendAlwaysRetry, resultBackendMaxRetries } = this.#config
    try {
      return await work()
    } catch (error) {
      if (!resultBackendAlwaysRetry || !isAway(error)) throw error
      if (resultBackendMaxRetries === 0) throw error
      this.#say(error as Error)
      return await this.#again(work, error)
    }
  }

  async #again<T>(work: () => Promise<T>, first: unknown): Promise<T> {
    const config = this.#config
    let last = first
    let final: { readonly error: unknown } | undefined
    const attempt = async (): Promise<T | undefined> => {
      try {
        return await work()
      } catch (error) {
        last = error
        if (isAway(error)) throw error
        // Nothing another attempt would change.
        final = { error }
        return undefined
      }
    }
    const policy = {
      retries: config.resultBackendMaxRetries - 1,
      minMs: config.resultBackendBaseSleepBetweenRetriesMs,
      maxMs: config.resultBackendMaxSleepBetweenRetriesMs,
    }
    try {
      const { signal } = this.#closing
      const value = await retry(attempt, policy, this.#ambient, { signal })
      if (final) throw final.error
      return value as T
    } catch (error) {
      throw final ? final.error : this.#closing.signal.aborted ? last : error
    }
  }

  /** Once a minute is enough for a store that is away. */
  #say({ message }: Error): void {
    const nowMs = this.#ambient.clock.monotonic()
    if (nowMs - this.#saidAtMs < 60_000) return
    this.#saidAtMs = nowMs
    this.#ambient.log.warn('the result backend cannot be reached, trying again', {
      reason: message,
    })
  }
}
