/**
 * Sessions and their leases, by the clock of the server: whose lease ended is dead, and what it held goes
 * back. A session outlives its link, so that the one after it can go on with what it holds.
 */
import type { MongoDocument, MongoLink } from '../../clients/mongodb.ts'
import type { Clock } from '../../kernel/clock.ts'
import { MessagingError } from '../../kernel/errors.ts'
import type { Names } from './schema.ts'

/** Leases last three ticks. With the look at the very end of a lease, its messages are back within 13 s. */
export const tickMs = 4000
const leaseMs = 3 * tickMs
/** Sessions looked at in one tick. */
const sessionLimit = 100
/** Messages without a session looked at in one tick. */
const forgottenLimit = 1000
/** Clocks drift apart: how often the server's is read again. */
const clockFreshMs = 60_000
/** The wall clock was set, or the machine slept, when it goes as far away from the one that counts here. */
const clockSetMs = 1000

export interface Swept {
  readonly restored: number
  readonly queues: readonly string[]
  /** Milliseconds until the next lease ends, as far as known. */
  readonly nextEndMs: number | undefined
}

export class Lease {
  readonly #link: MongoLink
  readonly #names: Names
  readonly #clock: Clock
  /** The server's clock and the wall clock, both less our own that is never set. */
  readonly #ahead = { serverMs: 0, wallMs: 0, readAtMs: -Infinity }
  /** Two links may go on with one session, when an attempt to connect comes about late: the last one has it. */
  readonly #holder: string
  #name: string
  /** By the server's clock. */
  #renewedAtMs = 0
  #wasAway = false

  constructor(link: MongoLink, names: Names, clock: Clock, name: string) {
    this.#link = link
    this.#names = names
    this.#clock = clock
    this.#name = name
    this.#holder = name
  }

  /** Under which messages are held. */
  get name(): string {
    return this.#name
  }

  /** Milliseconds of the server's clock. */
  get now(): number {
    return Math.round(this.#clock.monotonic() + this.#ahead.serverMs)
  }

  /** Begins the session, or goes on with `resumes` when that still lives. */
  async begin(resumes: string | undefined): Promise<void> {
    await this.#readClock()
    if (resumes !== undefined) {
      const own = this.#name
      this.#name = resumes
      if (await this.#renew({})) return
      this.#name = own
    }
    const session = {
      _id: this.#name as never,
      lease_end: this.now + leaseMs,
      holder: this.#holder,
    }
    await this.#link.run('begin', () => this.#sessions.insertOne(session))
    this.#renewedAtMs = this.now
  }

  /** Rejects with `MESSAGING_LEASE_LOST` when this session was taken for dead. */
  async renew(): Promise<void> {
    const nowMs = this.#clock.monotonic()
    const wasSet = Math.abs(this.#clock.now() - nowMs - this.#ahead.wallMs) > clockSetMs
    if (wasSet || nowMs - this.#ahead.readAtMs > clockFreshMs) await this.#readClock()
    if (!(await this.#renew())) throw leaseLost()
  }

  /** As `renew`, only looking. */
  async check(): Promise<void> {
    const found = await this.#link.run('look', () =>
      this.#sessions.findOne({ ...this.#own, dead: { $ne: true } }),
    )
    if (!found) throw leaseLost()
  }

  /** Gives back what dead sessions held. */
  async sweep(): Promise<Swept> {
    const others = await this.#link.run('look', () =>
      this.#sessions
        .find({ _id: { $ne: this.#name as never } })
        .sort({ lease_end: 1 })
        .limit(sessionLimit)
        .toArray(),
    )
    let restored = 0
    let nextEndMs: number | undefined
    const queues = new Set<string>()
    for (const { _id: name, lease_end: end, dead } of others) {
      const leftMs = Number(end) - this.now
      if (dead !== true && (leftMs > 0 || this.#wasAway)) {
        nextEndMs ??= Math.max(leftMs + 1, 50)
        continue
      }
      const found = await this.#bury(name as unknown as string, dead === true)
      restored += found.restored
      for (const queue of found.queues) queues.add(queue)
    }
    if (others.length < sessionLimit) {
      const names = others.map(({ _id: name }) => String(name))
      for (const name of await this.#forgottenOwners(names)) {
        const found = await this.#bury(name, true)
        restored += found.restored
        for (const queue of found.queues) queues.add(queue)
      }
      if (!this.#link.isAtomic) await this.#sweepLocks(names)
    }
    return { restored, queues: [...queues], nextEndMs }
  }

  /** Ends the session. What it held must be given back already. */
  async leave(): Promise<void> {
    await this.#link.run('leave', () => this.#sessions.deleteOne(this.#own))
  }

  get #sessions() {
    return this.#link.collection(this.#names.sessions)
  }

  /** This session, unless a later link goes on with it. */
  get #own(): MongoDocument {
    return { _id: this.#name, holder: this.#holder }
  }

  async #renew(held: MongoDocument = { holder: this.#holder }): Promise<boolean> {
    const filter = { _id: this.#name as never, dead: { $ne: true }, ...held }
    const change = { $set: { lease_end: this.now + leaseMs, holder: this.#holder } }
    const { matchedCount } = await this.#link.run('renew', () =>
      this.#sessions.updateOne(filter, change),
    )
    // After the machine slept or the server's clock was set, everybody's lease looks ended: the others first
    // get the time to say that they live.
    this.#wasAway = this.#renewedAtMs > 0 && this.now - this.#renewedAtMs > leaseMs
    this.#renewedAtMs = this.now
    return matchedCount > 0
  }

  /** In this order, so that a sweeper that is killed leaves everything for the next one to find. */
  async #bury(name: string, isMarked: boolean): Promise<{ restored: number; queues: string[] }> {
    if (!isMarked) {
      const filter = { _id: name as never, lease_end: { $lte: this.now } }
      const { matchedCount } = await this.#link.run('sweep', () =>
        this.#sessions.updateOne(filter, { $set: { dead: true } }),
      )
      // It said in this very moment that it lives.
      if (matchedCount === 0) return { restored: 0, queues: [] }
    }
    const locks = this.#link.collection(this.#names.locks)
    const turn = { _id: `session:${name}`, owner: this.#name, at: this.now }
    if (!this.#link.isAtomic) {
      // Two sweepers at once would write back what a third has claimed in between.
      const [isOurs] = await this.#link.insertNew(this.#names.locks, [turn])
      if (isOurs === undefined) return { restored: 0, queues: [] }
    }
    const queues = await giveBackAll(this.#link, this.#names, { owner: name }, { attempts: 1 })
    if (!this.#link.isAtomic) await this.#link.run('sweep', () => locks.deleteMany({ owner: name }))
    await this.#link.run('sweep', () => this.#sessions.deleteOne({ _id: name as never }))
    if (!this.#link.isAtomic)
      await this.#link.run('sweep', () => locks.deleteOne({ _id: turn._id as never }))
    return { restored: queues.length, queues }
  }

  /**
   * Owners of messages that are no sessions any more: one that was given up does not know it yet and claims
   * once more. A session begins before it claims, so what is missing at the second look is gone.
   */
  async #forgottenOwners(others: readonly string[]): Promise<string[]> {
    const filter = { owner: { $exists: true, $nin: [this.#name, ...others] } } as MongoDocument
    const held = await this.#link.run('look', () =>
      this.#link
        .collection(this.#names.messages)
        .find(filter, { projection: { owner: 1 } })
        .limit(forgottenLimit)
        .toArray(),
    )
    if (held.length === 0) return []
    const owners = [...new Set(held.map(({ owner }) => String(owner)))]
    const alive = await this.#link.run('look', () =>
      this.#sessions.find({ _id: { $in: owners } } as MongoDocument).toArray(),
    )
    const living = new Set(alive.map(({ _id: name }) => String(name)))
    return owners.filter((owner) => !living.has(owner))
  }

  /**
   * A session that was already given up may still have locked something: nobody would ever get it. Those of
   * sessions that began meanwhile are younger than a lease.
   */
  async #sweepLocks(others: readonly string[]): Promise<void> {
    const filter = {
      owner: { $nin: [this.#name, ...others] },
      at: { $lte: this.now - leaseMs },
    } as MongoDocument
    await this.#link.run('sweep', () => this.#link.collection(this.#names.locks).deleteMany(filter))
  }

  async #readClock(): Promise<void> {
    const asked = this.#clock.monotonic()
    const { localTime } = await this.#link.run('hello', () =>
      this.#link.db.admin().command({ hello: 1 }),
    )
    const answered = this.#clock.monotonic()
    // The middle of question and answer is the best guess at when the server looked.
    const server = localTime instanceof Date ? localTime.getTime() : this.#clock.now()
    this.#ahead.serverMs = server - (asked + answered) / 2
    this.#ahead.wallMs = this.#clock.now() - answered
    this.#ahead.readAtMs = answered
  }
}

/** Makes messages wait again, at their old place; the answer has the queue of each. */
export async function giveBackAll(
  link: MongoLink,
  names: Names,
  filter: MongoDocument,
  increments: Record<string, number> = {},
): Promise<string[]> {
  const messages = link.collection(names.messages)
  const held = { ...filter, held_queue: { $exists: true } }
  const found = await link.run('look', () =>
    messages.find(held, { projection: { held_queue: 1 } }).toArray(),
  )
  if (found.length === 0) return []
  await link.run('give back', () =>
    messages.updateMany(held, {
      ...waitingAgain,
      ...(Object.keys(increments).length > 0 && { $inc: increments }),
    }),
  )
  return found.map(({ held_queue: queue }) => String(queue))
}

/** The change that makes a held or delayed message wait again. */
export const waitingAgain = {
  $rename: { held_queue: 'queue', held_expire_at: 'expire_at' },
  $unset: { owner: '', mark: '', due: '' },
} as const

export function leaseLost(): MessagingError {
  return new MessagingError(
    'MESSAGING_LEASE_LOST',
    'connection',
    'this session was taken for dead, and others have its messages by now; it starts anew',
  )
}
