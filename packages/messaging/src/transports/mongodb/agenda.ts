/** What has its hour: messages that are due or expire, and queues that nobody uses. */
import type { MongoDocument, MongoLink } from '../../clients/mongodb.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { Queue } from '../../topology/queue.ts'
import { lock, own, unlock, type Claimed, type Claimer } from './claim.ts'
import { giveBackAll, tickMs } from './lease.ts'
import type { Names } from './schema.ts'

/** Expired messages taken at once, and documents looked at. */
const batch = 200
/** A queue that is consumed says so at each tick, so it must not expire in between. */
const shortestUseMs = 4 * tickMs

export class Agenda {
  readonly #claimer: Claimer
  readonly #clock: Clock
  /** How long each queue stays when nobody uses it, of those this session knows of. */
  readonly #lives = new Map<string, number>()
  /** Consumers of this session by queue. */
  readonly #consumed = new Map<string, number>()

  constructor(claimer: Claimer) {
    this.#claimer = claimer
    this.#clock = claimer.clock
  }

  /** True when the queue goes by itself, so that someone has to look. */
  async declared({ name, arguments: args }: Queue): Promise<boolean> {
    const lives = args['x-expires']
    if (typeof lives !== 'number') return this.#lives.delete(name)
    this.#lives.set(name, lives)
    await this.used(name)
    return true
  }

  async joined(queue: string): Promise<void> {
    this.#consumed.set(queue, (this.#consumed.get(queue) ?? 0) + 1)
    await this.used(queue)
  }

  async left(queue: string): Promise<void> {
    const count = (this.#consumed.get(queue) ?? 1) - 1
    if (count > 0) this.#consumed.set(queue, count)
    else this.#consumed.delete(queue)
    await this.used(queue)
  }

  /** Its life begins anew, where it has an end. */
  async used(queue: string): Promise<void> {
    const lives = this.#lives.get(queue)
    if (lives === undefined) return
    const isConsumed = this.#consumed.has(queue)
    const until = this.#now + (isConsumed ? Math.max(lives, shortestUseMs) : lives)
    await this.#link.run('use', () =>
      this.#queues.updateOne({ _id: queue as never }, { $set: { unused_until: until } }),
    )
  }

  forget(queue: string): void {
    this.#lives.delete(queue)
  }

  async renew(): Promise<void> {
    for (const queue of this.#consumed.keys()) await this.used(queue)
  }

  /** Queues whose life is over and that this session is to remove. */
  async endedQueues(): Promise<{ names: string[]; nextMs: number | undefined }> {
    const found = await this.#link.run('look', () =>
      this.#queues
        .find({ unused_until: { $exists: true } })
        .sort({ unused_until: 1 })
        .limit(batch)
        .toArray(),
    )
    const names: string[] = []
    for (const { _id: name, unused_until: until } of found) {
      const leftMs = Number(until) - this.#now
      if (leftMs > 0) return { names, nextMs: leftMs }
      const filter = { _id: name, unused_until: until } as MongoDocument
      const { deletedCount } = await this.#link.run('expire', () => this.#queues.deleteOne(filter))
      if (deletedCount === 1) names.push(String(name))
    }
    return { names, nextMs: undefined }
  }

  /** Delayed messages whose hour has come wait again. */
  async release(): Promise<{ queues: string[]; nextMs: number | undefined }> {
    const { due, nextMs } = await this.#next('due', {}, this.#now)
    if (due.length === 0) return { queues: [], nextMs }
    const { link, names, owner } = this.#claimer
    const ids = link.isAtomic ? due : await lock(this.#claimer, due)
    const filter = { _id: { $in: ids }, due: { $lte: this.#now } }
    const queues = ids.length > 0 ? await giveBackAll(link, names, filter) : []
    await unlock(link, names, owner, ids)
    return { queues, nextMs: due.length === batch ? 0 : nextMs }
  }

  /** Waiting messages whose time is over, now this session's. */
  async expired(): Promise<{ claimed: Claimed[]; nextMs: number | undefined }> {
    const waiting = { queue: { $exists: true } }
    // By the wall clock, as publishers, the text and its readers have it.
    const { due, nextMs } = await this.#next('expires', waiting, Math.round(this.#clock.now()))
    if (due.length === 0) return { claimed: [], nextMs }
    const claimed = await own(this.#claimer, due, waiting)
    return { claimed, nextMs: due.length === batch ? 0 : nextMs }
  }

  /** Ids of documents whose hour has come, and how long until the next one's. */
  async #next(
    field: 'due' | 'expires',
    filter: MongoDocument,
    nowMs: number,
  ): Promise<{ due: unknown[]; nextMs: number | undefined }> {
    const { link, names } = this.#claimer
    const found = await link.run('look', () =>
      link
        .collection(names.messages)
        .find({ ...filter, [field]: { $gt: 0 } }, { projection: { [field]: 1 } })
        .sort({ [field]: 1 })
        .limit(batch)
        .toArray(),
    )
    const next = found.find((one) => Number(one[field]) > nowMs)
    return {
      due: found.filter((one) => Number(one[field]) <= nowMs).map(({ _id: id }) => id),
      nextMs: next && Number(next[field]) - nowMs,
    }
  }

  get #link(): MongoLink {
    return this.#claimer.link
  }

  get #names(): Names {
    return this.#claimer.names
  }

  get #queues() {
    return this.#link.collection(this.#names.queues)
  }

  /** The server's, since queues and what is delayed are everybody's. */
  get #now(): number {
    return this.#claimer.nowMs()
  }
}
