/**
 * Who waits for which result, on one shared subscribed socket that opens with the first waiter. Only
 * results that somebody awaits right now are subscribed; what is asked for in one turn goes in one command.
 */
import type { Clock } from '@celeriac/messaging'
import { TurnBatch, type RedisClient } from '@celeriac/messaging/internal'
import type { Encoded } from '../../backend/result-codec.ts'

type Listener = (data: Encoded) => void

/** Pause between looks at a link on which nothing moves. */
const pingMs = 5000

export class Notices {
  readonly #clock: Clock
  readonly #isText: boolean
  readonly #open: () => Promise<RedisClient>
  readonly #read: (channels: readonly string[]) => Promise<readonly (Encoded | undefined)[]>
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #subscribing: TurnBatch<string, void>
  #client: Promise<RedisClient> | undefined
  readonly #ended = new Set<string>()
  #endScheduled = false
  #watched = false

  /** `read` gives what is stored under the names of channels. */
  constructor(
    clock: Clock,
    isText: boolean,
    open: () => Promise<RedisClient>,
    read: (channels: readonly string[]) => Promise<readonly (Encoded | undefined)[]>,
  ) {
    this.#clock = clock
    this.#isText = isText
    this.#open = open
    this.#read = read
    this.#subscribing = new TurnBatch(async (channels) => {
      const client = await this.#connected()
      await client.subscribe(...channels)
    })
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

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined)
    client?.disconnect()
    this.#client = undefined
  }

  #connected(): Promise<RedisClient> {
    this.#client ??= this.#open().then(
      (client) => {
        if (this.#isText) client.on('message', (channel, text) => this.#tell(channel, text))
        else client.on('messageBuffer', (channel, data) => this.#tell(channel.toString(), data))
        client.on('ready', () => void this.#catchUp(client).catch(() => undefined))
        return client
      },
      (error: unknown) => {
        this.#client = undefined
        throw error
      },
    )
    return this.#client
  }

  /** While anybody waits: a link that dies in silence would never tell anything again. */
  #watch(): void {
    if (this.#watched || this.#listeners.size === 0) return
    this.#watched = true
    const look = (): void => {
      this.#watched = false
      // Its answer, or the lack of one, is the client's business.
      void this.#client?.then((client) => client.ping()).catch(() => undefined)
      this.#watch()
    }
    this.#clock.after(pingMs, look, { background: true })
  }

  #tell(channel: string, data: Encoded): void {
    for (const listener of this.#listeners.get(channel) ?? []) listener(data)
  }

  /** After a lost link: what was told while nobody could hear it is read. When this fails, so has the link. */
  async #catchUp(client: RedisClient): Promise<void> {
    const channels = [...this.#listeners.keys()]
    if (channels.length === 0) return
    // Behind the subscriptions on the same socket: once it is answered, they hold.
    await client.ping()
    const found = await this.#read(channels)
    for (const [i, data] of found.entries()) if (data !== undefined) this.#tell(channels[i]!, data)
  }

  #scheduleEnd(): void {
    if (this.#endScheduled) return
    this.#endScheduled = true
    setImmediate(() => {
      this.#endScheduled = false
      const channels = [...this.#ended].filter((channel) => !this.#listeners.has(channel))
      this.#ended.clear()
      if (channels.length === 0) return
      void this.#client
        ?.then((client) => client.unsubscribe(...channels))
        // A lost link has no subscriptions left to end.
        .catch(() => undefined)
    })
  }
}
