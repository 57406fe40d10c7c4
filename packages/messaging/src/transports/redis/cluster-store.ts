/**
 * A session on a Redis Cluster. Every queue is a partition of its own, with its claims and its lease where
 * its messages lie, so each atomic act stays on one server and the queues spread over all of them.
 */
import { redisDatabase, redisError } from '../../clients/redis.ts'
import { messageOf, MessagingError } from '../../kernel/errors.ts'
import type { ConnectOptions } from '../../transport/transport.ts'
import {
  parkedFor,
  type Settlement,
  type StoreContext,
  type TickResult,
} from '../../virtual/store.ts'
import { BaseStore } from './base-store.ts'
import { RedisBroadcast } from './broadcast.ts'
import { ClusterWire, isBusy } from './cluster-wire.ts'
import { warnOfEviction } from './eviction.ts'
import { redisKeys, type RedisKeys } from './keys.ts'
import { redisOptions } from './options.ts'
import type { Claimed, Partition, PartitionTick } from './partition.ts'

/** When to look again at a queue whose slot is on the move, ms. */
const againMs = 200
/** Ticks after which a queue that nobody uses here any more is left. */
const idleTicks = 6

interface Part {
  readonly queue: string
  readonly partition: Partition
  entered: Promise<unknown>
  /** Ticks since it was used. */
  idle: number
}

export class ClusterStore extends BaseStore {
  readonly server: string
  readonly closed: Promise<MessagingError | undefined>
  readonly broadcast: RedisBroadcast
  readonly #cluster: ClusterWire
  readonly #parts = new Map<string, Part>()
  #id: string

  static async open(options: ConnectOptions, context: StoreContext): Promise<ClusterStore> {
    const { target } = options
    if (redisDatabase(target) !== 0)
      throw new MessagingError(
        'MESSAGING_URL_INVALID',
        'fatal',
        `a Redis Cluster has the database 0 only; take the path off '${target.masked}'`,
      )
    const keys = redisKeys(target, true)
    const wire = await ClusterWire.open(options, context.session)
    try {
      const store = new ClusterStore(wire, keys, options, context)
      if (context.resumes !== undefined) await store.#resume(context.resumes)
      await store.tick()
      if (!context.resumes) warnOfEviction(wire.home.info, context.ambient.log, target.masked)
      return store
    } catch (error) {
      wire.end(new Error('it was not opened'))
      throw redisError(error, `connecting to ${target.masked}`, true)
    }
  }

  private constructor(
    wire: ClusterWire,
    keys: RedisKeys,
    { target }: ConnectOptions,
    context: StoreContext,
  ) {
    super(wire, keys, redisOptions(target), context)
    this.#cluster = wire
    this.#id = context.session
    this.server = `${wire.home.server} Cluster`
    this.broadcast = new RedisBroadcast(wire.home, keys)
    this.closed = wire.closed.then((error) =>
      this.isClosing ? undefined : redisError(error, 'a link to the Redis Cluster was lost'),
    )
  }

  /** With the queues where it may hold something: who resumes it has to look there. */
  get identity(): string {
    return JSON.stringify([this.#id, ...[...this.#parts.keys()].toSorted()])
  }

  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    const groups = new Map<string, string[][]>()
    for (const queue of this.sound(queues)) {
      const lists = this.keys.lists(queue)
      const address = this.#cluster.addressOf(lists[0]!) ?? ''
      const group = groups.get(address)
      if (group) group.push(lists)
      else groups.set(address, [lists])
    }
    const woken = new AbortController()
    const either = AbortSignal.any([signal, woken.signal])
    const waits = [...groups.values()].map(async (lists) => {
      const link = await this.#cluster.linkOf(lists[0]![0]!)
      await link.watcher.wait(lists, either)
    })
    if (waits.length === 0) waits.push(this.#cluster.home.watcher.wait([], either))
    try {
      await Promise.race(waits)
    } catch (error) {
      // The map was wrong: the next claim goes where the queue is.
      if (!this.#cluster.learn(error)) throw redisError(error, 'waiting at the Redis Cluster')
    } finally {
      woken.abort()
      void Promise.allSettled(waits)
    }
  }

  async settle(batch: readonly Settlement[]): Promise<void> {
    const queues = new Map<string, Settlement[]>()
    for (const one of batch) {
      const list = queues.get(one.taken.queue)
      if (list) list.push(one)
      else queues.set(one.taken.queue, [one])
    }
    await Promise.all(
      [...queues].map(async ([queue, list]) => (await this.#part(queue)).partition.settle(list)),
    )
  }

  async giveBackBut(receipts: ReadonlySet<string>): Promise<void> {
    await Promise.all(
      [...this.#parts.values()].map(({ partition }) => partition.giveBackBut(receipts)),
    )
  }

  async tick(): Promise<TickResult> {
    const refresh = this.isRefreshDue()
    const pulses = this.#cluster.links.map((link) =>
      link.check<unknown>((channel) =>
        channel ? link.client.publish(channel, '') : link.client.ping(),
      ),
    )
    const ticks = [...this.#parts.values()].map((part) => this.#tickOne(part, refresh))
    const [results] = await Promise.all([
      Promise.all(ticks),
      this.expiry.tick().catch(unlessBusy),
      ...pulses,
    ])
    if (this.lookAgain()) this.#cluster.wake()
    let restored = 0
    let nextDueMs = Infinity
    for (const result of results) {
      restored += result.restored
      const isMore = result.found >= this.options.restoreLimit
      nextDueMs = Math.min(nextDueMs, isMore ? 0 : (result.nextDueMs ?? Infinity))
    }
    return { restored, nextDueMs: nextDueMs === Infinity ? undefined : nextDueMs }
  }

  protected async claim(queues: readonly string[], max: number, isFair: boolean): Promise<Claimed> {
    const all: Claimed = { taken: [], parked: 0, broken: [] }
    let parked = 0
    const waiting = queues.length > max ? await this.#filled(queues) : [...queues]
    const more: string[] = []
    while (waiting.length > 0 && all.taken.length < max) {
      const left = max - all.taken.length
      const count = isFair ? Math.min(waiting.length, left) : 1
      const share = isFair ? Math.max(1, Math.floor(left / waiting.length)) : left
      const claims = waiting.splice(0, count).map((queue) => this.#claimOne(queue, share))
      for (const claimed of await Promise.all(claims)) {
        all.taken.push(...claimed.taken)
        all.broken.push(...claimed.broken)
        parked += claimed.parked
        if (claimed.taken.length === share && isFair) more.push(claimed.taken[0]!.queue)
      }
      // Everyone had a share; who has more gets what is left.
      if (waiting.length === 0) waiting.push(...more.splice(0))
    }
    return { ...all, parked }
  }

  protected async replicated(key: string, count: number, ms: number): Promise<number> {
    return await (await this.#cluster.linkOf(key)).replicated(count, ms)
  }

  protected async leaveAll(): Promise<void> {
    await Promise.all([...this.#parts.values()].map(({ partition }) => partition.leave()))
  }

  protected hangUp(): void {
    this.#cluster.end(new Error('closed'))
  }

  /** Goes on with all leases of a session, or with none: one that was fenced anywhere starts anew. */
  async #resume(identity: string): Promise<void> {
    const [id, ...queues] = JSON.parse(identity) as [string, ...string[]]
    const parts = queues.map((queue) => ({
      queue,
      partition: this.partition(queue, this.#cluster.impatient),
    }))
    const stood = await Promise.all(parts.map(({ partition }) => partition.enter(id)))
    if (stood.every(Boolean)) {
      this.#id = id
      for (const { queue, partition } of parts)
        this.#parts.set(queue, { queue, partition, entered: Promise.resolve(), idle: 0 })
    } else await Promise.all(parts.map(({ partition }) => partition.leave()))
  }

  async #part(queue: string): Promise<Part> {
    let part = this.#parts.get(queue)
    if (!part) {
      const { session } = this.context
      // Under the name that this session already has elsewhere, so that one resumption finds all.
      const name = this.#id === session ? session : `${this.#id}~${session}`
      const partition = this.partition(queue, this.#cluster.impatient, name)
      // The first look also gives back what a dead consumer of this queue held.
      const entered = this.#enter(partition)
      part = { queue, partition, entered, idle: 0 }
      this.#parts.set(queue, part)
      entered.catch(() => this.#parts.delete(queue))
    }
    part.idle = 0
    await part.entered
    return part
  }

  async #enter(partition: Partition): Promise<void> {
    await partition.enter(undefined)
    await partition.tick(false, { channel: '' })
  }

  async #claimOne(queue: string, max: number): Promise<Claimed> {
    try {
      const { partition } = await this.#part(queue)
      const claimed = await partition.claim([queue], max, true)
      if (claimed.parked > 0) await this.#forwardParked(queue)
      return claimed
    } catch (error) {
      unlessBusy(error)
      this.context.ambient.clock.after(againMs, () => this.#cluster.wake(), { background: true })
      return { taken: [], parked: 0, broken: [] }
    }
  }

  /** Those that hold something: asked at once, where one after the other would be claimed from. */
  async #filled(queues: readonly string[]): Promise<string[]> {
    this.wire.hold()
    const counts = await Promise.all(
      queues.map(async (queue) => {
        const [first, ...others] = this.keys.lists(queue)
        try {
          // The lease is looked at also where there is nothing.
          await this.#part(queue)
          return await this.#cluster.impatient.send('EXISTS', first!, ...others)
        } catch (error) {
          unlessBusy(error)
          return 1
        }
      }),
    )
    return queues.filter((_, n) => Number(counts[n]) > 0)
  }

  async #tickOne(part: Part, refresh: boolean): Promise<PartitionTick> {
    try {
      await part.entered
      const result = await part.partition.tick(refresh, { channel: '' })
      if (++part.idle > idleTicks && !this.isJoined(part.queue)) await this.#drop(part)
      return result
    } catch (error) {
      // While its slot is on the move nobody else can take the lease either.
      unlessBusy(error)
      return { restored: 0, found: 0, nextDueMs: againMs }
    }
  }

  async #drop(part: Part): Promise<void> {
    this.#parts.delete(part.queue)
    const isLeft = await part.partition.leave(true)
    if (!isLeft && !this.#parts.has(part.queue)) this.#parts.set(part.queue, part)
  }

  /** What was put aside lies with its queue, where a script could reach it; now to the queue for such. */
  async #forwardParked(queue: string): Promise<void> {
    const { parked } = this.keys.partition(queue)
    const texts = (await this.wire.send('LRANGE', parked, 0, -1)) as string[]
    if (texts.length === 0) return
    await this.wire.send('RPUSH', this.keys.list(parkedFor(queue), 0), ...texts)
    await this.wire.send('LTRIM', parked, 0, -(texts.length + 1))
  }
}

/** Throws what is not over by itself in a moment. */
function unlessBusy(error: unknown): void {
  if (isBusy(error) || /\b(MOVED|ASK) \d+ /.test(messageOf(error))) return
  throw error
}
