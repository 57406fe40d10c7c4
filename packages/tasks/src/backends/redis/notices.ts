/**
 * Who waits for which result, on one shared subscribed socket that opens with the first waiter. Only
 * results that somebody awaits right now are subscribed; what is asked for in one turn goes in one command.
 * A socket that broke is made anew as long as anybody waits, a thousand subscriptions at a time, and what was
 * told meanwhile is read.
 */
import type { Clock } from '@celeriac/messaging'
import {
  loadRedisClients,
  sleep,
  TurnBatch,
  withDeadline,
  type RedisClient,
} from '@celeriac/messaging/internal'
import type { Encoded } from '../../backend/result-codec.ts'
import { chunksOf } from '../batches.ts'
import { Relink } from '../relink.ts'

type Listener = (data: Encoded) => void

/** Channels of one command. */
const chunkSize = 1000
const longestPauseMs = 1000
/** An ended subscription goes with the next that begins, but not later than this. */
const endsWithinMs = 20

export interface NoticesOptions {
  readonly clock: Clock
  readonly isText: boolean
  /** Pause between looks at a link on which nothing moves. */
  readonly checkMs: number
  /** Longest a command may take. */
  readonly timeoutMs: number
  open(): Promise<RedisClient>
  /** What is stored under the names of channels. */
  read(channels: readonly string[]): Promise<readonly (Encoded | undefined)[]>
}

interface Link {
  readonly client: RedisClient
  readonly cork: { hold(): void }
  isOver: boolean
  end(): void
}

export class Notices {
  readonly #options: NoticesOptions
  readonly #links: Relink<Link>
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #subscribing: TurnBatch<string, void>
  readonly #ended = new Set<string>()
  #current: Link | undefined
  #endScheduled = false
  #watched = false
  #isRestoring = false
  #isClosed = false

  constructor(options: NoticesOptions) {
    const { clock, timeoutMs } = options
    this.#options = options
    this.#links = new Relink({
      open: () => this.#open(),
      isOver: (link) => link.isOver,
      close: (link) => link.end(),
      clock,
      timeoutMs,
    })
    this.#subscribing = new TurnBatch(
      (channels) => this.#links.run((link) => this.#subscribe(link, channels)),
      chunkSize,
    )
  }

  /** Channels subscribed or about to be. */
  get size(): number {
    return this.#listeners.size
  }

  async subscribe(channel: string, listener: Listener): Promise<() => void> {
    const known = this.#listeners.get(channel)
    const listeners = known ?? new Set()
    this.#listeners.set(channel, listeners.add(listener))
    const off = (): void => {
      if (!listeners.delete(listener) || listeners.size > 0) return
      if (this.#listeners.get(channel) === listeners) this.#listeners.delete(channel)
      this.#ended.add(channel)
      this.#scheduleEnd()
    }
    try {
      this.#ended.delete(channel)
      // Also for a known one: its subscription may still be under way, and this caller must not read early.
      await this.#subscribing.add(channel).done
      this.#watch()
    } catch (error) {
      off()
      throw error
    }
    return off
  }

  /** Another server may be the master: what is awaited is subscribed there, and read. */
  renew(): void {
    this.#current?.end()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#links.close()
  }

  async #open(): Promise<Link> {
    const [client, { Cork, hangUp, redisEnded }] = await Promise.all([
      this.#options.open(),
      loadRedisClients(),
    ])
    const link: Link = {
      client,
      cork: new Cork(client),
      isOver: false,
      end: () => {
        link.isOver = true
        hangUp(client)
      },
    }
    if (this.#options.isText) client.on('message', (channel, text) => this.#tell(channel, text))
    else client.on('messageBuffer', (channel, data) => this.#tell(channel.toString(), data))
    void redisEnded(client).then(() => {
      link.isOver = true
      if (this.#current === link) void this.#restore()
    })
    this.#current = link
    return link
  }

  async #subscribe({ client, cork }: Link, channels: readonly string[]): Promise<void> {
    const { redisError } = await loadRedisClients()
    try {
      cork.hold()
      this.#end()
      await client.subscribe(...channels)
    } catch (error) {
      throw redisError(error, 'Redis (SUBSCRIBE)')
    }
  }

  /** After a lost link, as long as anybody waits: subscribes anew and tells what is stored. */
  async #restore(): Promise<void> {
    if (this.#isRestoring) return
    this.#isRestoring = true
    let pauseMs = 50
    while (!this.#isClosed && this.#listeners.size > 0) {
      // Whatever it is: those who wait have their own deadline, and whoever comes new is told.
      if (await this.#resubscribe().catch(() => false)) break
      await sleep(this.#options.clock, pauseMs)
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
    }
    this.#isRestoring = false
  }

  /** Resolves with false when the new link is lost, too. */
  async #resubscribe(): Promise<boolean> {
    const link = await this.#links.open()
    for (const channels of chunksOf([...this.#listeners.keys()], chunkSize)) {
      await this.#subscribe(link, channels)
      await this.#catchUp(channels)
    }
    return !link.isOver
  }

  /** What was told while nobody could hear it. */
  async #catchUp(channels: readonly string[]): Promise<void> {
    const awaited = channels.filter((channel) => this.#listeners.has(channel))
    const found = await this.#options.read(awaited)
    for (const [i, data] of found.entries()) if (data !== undefined) this.#tell(awaited[i]!, data)
  }

  /** While anybody waits: a link that dies in silence would never tell anything again. */
  #watch(): void {
    if (this.#watched || this.#listeners.size === 0) return
    this.#watched = true
    const { clock, checkMs, timeoutMs } = this.#options
    const look = (): void => {
      this.#watched = false
      const link = this.#current
      if (link && !link.isOver)
        withDeadline(link.client.ping(), timeoutMs, clock, 'PING').catch(() => link.end())
      this.#watch()
    }
    clock.after(checkMs, look, { background: true })
  }

  #tell(channel: string, data: Encoded): void {
    for (const listener of this.#listeners.get(channel) ?? []) listener(data)
  }

  #scheduleEnd(): void {
    if (this.#endScheduled) return
    this.#endScheduled = true
    const end = (): void => {
      this.#endScheduled = false
      this.#end()
    }
    this.#options.clock.after(endsWithinMs, end, { background: true })
  }

  #end(): void {
    const ended = [...this.#ended].filter((channel) => !this.#listeners.has(channel))
    this.#ended.clear()
    const link = this.#current
    if (!link || link.isOver) return
    for (const channels of chunksOf(ended, chunkSize)) {
      // A lost link has no subscriptions left to end.
      link.client.unsubscribe(...channels).catch(() => undefined)
    }
  }
}
