/**
 * A session on one Redis server, in Kombu's layout, with claims that cannot lose a message: see scripts.ts
 * for the atomic acts and keys.ts for the names. What is common with a cluster is in base-store.ts.
 */
import type { MessagingError } from '../../kernel/errors.ts'
import { redisError } from '../../clients/redis.ts'
import type { ConnectOptions } from '../../transport/transport.ts'
import type { Settlement, StoreContext, TickResult } from '../../virtual/store.ts'
import { BaseStore } from './base-store.ts'
import { RedisBroadcast } from './broadcast.ts'
import { warnOfEviction } from './eviction.ts'
import { redisKeys, type RedisKeys } from './keys.ts'
import { RedisLink } from './link.ts'
import { redisOptions } from './options.ts'
import type { Claimed, Partition } from './partition.ts'
import { findMaster, type MasterWatch } from './sentinel.ts'

export class RedisStore extends BaseStore {
  readonly server: string
  readonly closed: Promise<MessagingError | undefined>
  readonly broadcast: RedisBroadcast
  readonly #link: RedisLink
  readonly #partition: Partition
  #identity: string
  /** The last claim got less than it asked for: the next will be followed by a look. */
  #ranDry = true
  #sentinels: MasterWatch | undefined

  static async open(options: ConnectOptions, context: StoreContext): Promise<RedisStore> {
    const keys = redisKeys(options.target)
    const master = options.target.scheme === 'sentinel' ? await findMaster(options) : undefined
    let link: RedisLink | undefined
    let moved: Error | undefined
    const sentinels = master?.watch((error) => {
      moved = error
      link?.end(error)
    })
    try {
      const opening = RedisLink.open(master?.options ?? options, { name: context.session })
      // One that froze answers nothing: not to be waited for once another is the master.
      link = await (sentinels
        ? sentinels.unlessMoved(opening, (late) => late.end(moved!))
        : opening)
      await master?.confirm(link.client)
      const store = new RedisStore(link, keys, options, context)
      store.#sentinels = sentinels
      if (await store.#partition.enter(context.resumes)) store.#identity = context.resumes!
      await store.tick()
      if (!context.resumes) warnOfEviction(link.info, context.ambient.log, options.target.masked)
      return store
    } catch (error) {
      sentinels?.end()
      link?.end(new Error('it was not opened'))
      throw redisError(error, `connecting to ${options.target.masked}`, true)
    }
  }

  private constructor(
    link: RedisLink,
    keys: RedisKeys,
    { target }: ConnectOptions,
    context: StoreContext,
  ) {
    super(link, keys, redisOptions(target), context)
    this.#link = link
    this.#identity = context.session
    this.#partition = this.partition('')
    this.server = link.server
    this.broadcast = new RedisBroadcast(link, keys)
    this.closed = link.closed.then((error) => {
      this.#sentinels?.end()
      return this.isClosing ? undefined : redisError(error, 'the link to Redis was lost')
    })
  }

  get identity(): string {
    return this.#identity
  }

  isResting(queues: readonly string[]): boolean {
    return this.#link.watcher.isResting(nameOf(queues))
  }

  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    if (this.isResting(queues)) return await this.#link.watcher.waitResting(signal)
    const keys = this.sound(queues).flatMap(this.keys.lists)
    await this.#link.watcher.wait([keys], signal)
  }

  async settle(batch: readonly Settlement[]): Promise<void> {
    await this.#partition.settle(batch)
  }

  async giveBackBut(receipts: ReadonlySet<string>): Promise<void> {
    await this.#partition.giveBackBut(receipts)
  }

  async tick(): Promise<TickResult> {
    const refresh = this.isRefreshDue()
    const inUse = this.expiry.inUse()
    const { restored, found, nextDueMs } = await this.#link.check((channel) =>
      this.#partition.tick(refresh, { channel, inUse }),
    )
    if (this.lookAgain()) this.#link.watcher.wake()
    // More than one look's worth: look again at once.
    return { restored, nextDueMs: found >= this.options.restoreLimit ? 0 : nextDueMs }
  }

  protected async replicated(_key: string, count: number, ms: number): Promise<number> {
    return await this.#link.replicated(count, ms)
  }

  protected async claim(queues: readonly string[], max: number, isFair: boolean): Promise<Claimed> {
    const claiming = this.#partition.claim(queues, max, isFair)
    // Leaves with the claim and saves the next one, which would find nothing.
    const looking =
      this.#ranDry && this.#link.watcher.look(nameOf(queues), queues.flatMap(this.keys.lists))
    const [claimed] = await Promise.all([claiming, looking])
    this.#ranDry = claimed.taken.length < max
    return claimed
  }

  protected async leaveAll(): Promise<void> {
    if (this.#link.client.status === 'ready') await this.#partition.leave()
  }

  protected hangUp(): void {
    this.#link.end(new Error('closed'))
    this.#sentinels?.end()
  }
}

/** Of these queues together, in whatever order they are served. */
function nameOf(queues: readonly string[]): string {
  return queues.length === 1 ? queues[0]! : queues.toSorted().join('\0')
}
