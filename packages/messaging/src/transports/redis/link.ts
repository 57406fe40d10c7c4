/**
 * The link to one Redis server: a socket for commands and one for notices, a batch of writes for each turn,
 * and the proof that both still live. It never reconnects: when one socket is over, the link is.
 */
import {
  Cork,
  hangUp,
  openRedis,
  redisEnded,
  redisError,
  type RedisClient,
} from '../../clients/redis.ts'
import { withDeadline } from '../../kernel/deadline.ts'
import { messageOf, type MessagingError } from '../../kernel/errors.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { ConnectOptions } from '../../transport/transport.ts'
import { redisOptions } from './options.ts'
import { defineScripts, loadScripts, type CallScript } from './scripts.ts'
import { Watcher } from './watcher.ts'
import type { Wire } from './wire.ts'

/** Longest wait for the proof of life: with the 5 s between two, silence is noticed within 10 s. */
const longestCheckMs = 4000

export interface LinkOptions {
  /** Unique name of the session on this server; its pulse is named after it. */
  readonly name: string
  /** Send the scripts ahead: on a server of a cluster a call is redirected as it stands. */
  readonly preload?: boolean
}

export class RedisLink implements Wire {
  /** Name and version of the server. */
  readonly server: string
  readonly watcher: Watcher
  readonly client: RedisClient
  readonly subscriber: RedisClient
  /** Resolves once, with the reason, when either socket is over. */
  readonly closed: Promise<Error>
  /** What the server says of itself. */
  readonly info: string
  readonly #cork: Cork
  readonly #call: CallScript
  readonly #clock: Clock
  readonly #pulse: string
  readonly #checkMs: number
  #onPulse: (() => void) | undefined
  #hearsPulse = false
  #resolveClosed!: (reason: Error) => void

  /** Rejects with a typed error whose fault says whether to try again. */
  static async open(options: ConnectOptions, { name, preload }: LinkOptions): Promise<RedisLink> {
    const opened: RedisClient[] = []
    const open = async (): Promise<RedisClient> => {
      const client = await openRedis(options)
      opened.push(client)
      return client
    }
    try {
      // Both at once, but hung up both when one fails.
      const [client, subscriber] = await both(open(), open())
      const info = await client.info()
      const link = new RedisLink(client, subscriber, info, name, options)
      await Promise.all([link.watcher.start(), link.#listen(), preload && loadScripts(client)])
      return link
    } catch (error) {
      for (const client of opened) hangUp(client)
      throw redisError(error, `connecting to ${options.target.masked}`, true)
    }
  }

  private constructor(
    client: RedisClient,
    subscriber: RedisClient,
    info: string,
    name: string,
    { target, ambient, heartbeatSeconds }: ConnectOptions,
  ) {
    this.client = client
    this.subscriber = subscriber
    this.info = info
    this.server = `Redis ${/redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown'}`
    this.#clock = ambient.clock
    this.#cork = new Cork(client)
    this.#call = defineScripts(client)
    this.#pulse = `${redisOptions(target).prefix}celeriac:pulse:${name}`
    this.#checkMs = heartbeatSeconds > 0 ? Math.min(heartbeatSeconds * 1000, longestCheckMs) : 0
    this.watcher = new Watcher(client, subscriber, this.#cork, ambient.clock)
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    void Promise.race([redisEnded(client), redisEnded(subscriber)]).then((error) => this.end(error))
  }

  async script(...call: Parameters<CallScript>): Promise<unknown> {
    try {
      return await this.#call(...call)
    } catch (error) {
      throw this.#typed(error, `Redis (${call[0]})`)
    }
  }

  async send(command: string, key: string, ...args: (string | number)[]): Promise<unknown> {
    try {
      return await this.client.call(command, key, ...args)
    } catch (error) {
      throw this.#typed(error, `Redis (${command})`)
    }
  }

  /** How many replicas have all that was written over this link; waits for `count` of them, at most `ms`. */
  async replicated(count: number, ms: number): Promise<number> {
    try {
      return await this.client.wait(count, ms)
    } catch (error) {
      throw this.#typed(error, 'Redis (WAIT)')
    }
  }

  hold(): void {
    this.#cork.hold()
  }

  /**
   * Runs a command that publishes to the channel it is given; resolves with its answer when the other socket
   * has heard that, so one command proves both alive.
   */
  async check<T>(command: (channel: string) => Promise<T>): Promise<T> {
    let proof: Promise<unknown> | undefined
    if (this.#hearsPulse && this.#checkMs > 0)
      proof = new Promise<void>((resolve) => (this.#onPulse = resolve))
    else if (this.#checkMs > 0) proof = this.subscriber.ping()
    const answer = command(this.#hearsPulse && this.#checkMs > 0 ? this.#pulse : '')
    if (!proof) return await answer
    const checked = Promise.all([answer, proof])
    try {
      const [value] = await withDeadline(
        checked,
        this.#checkMs,
        this.#clock,
        'the check of the link',
      )
      return value
    } catch (error) {
      // Whatever else hangs on this link is over as well.
      const typed = this.#typed(error, 'the check of the link')
      if (typed.fault === 'connection') this.end(typed)
      throw typed
    }
  }

  /** Hangs up; `closed` resolves with the reason. */
  end(reason: Error): void {
    // Now, not when the driver is done: it waits 2 s for a server that does not answer.
    this.#resolveClosed(reason)
    hangUp(this.client)
    hangUp(this.subscriber)
    this.watcher.wake()
  }

  async #listen(): Promise<void> {
    this.subscriber.on('message', (channel: string) => {
      if (channel === this.#pulse) this.#onPulse?.()
    })
    try {
      await this.subscriber.subscribe(this.#pulse)
      this.#hearsPulse = true
    } catch {
      // Not among the channels this user may hear: a PING for each check then.
    }
  }

  #typed(error: unknown, what: string): MessagingError {
    // It was the master and is not any more: nothing can be done over this link.
    if (/^(READONLY|MASTERDOWN)/.test(messageOf(error)))
      this.end(new Error(`${this.client.options.host ?? ''} is no master any more`))
    return redisError(error, what)
  }
}

/** Rejects when either does, after both are over. */
async function both<T>(a: Promise<T>, b: Promise<T>): Promise<[T, T]> {
  const results = await Promise.allSettled([a, b])
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return [await a, await b]
}
