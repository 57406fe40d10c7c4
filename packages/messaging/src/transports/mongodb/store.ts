/**
 * Kombu's layout on MongoDB, with claims that cannot lose a message (claim.ts) and sessions with leases
 * (lease.ts). Python producers and consumers share its queues.
 */
import { MongoLink, type MongoDocument, type MongoWrite } from '../../clients/mongodb.ts'
import { MessagingError } from '../../kernel/errors.ts'
import type { Binding } from '../../topology/binding.ts'
import type { Exchange } from '../../topology/exchange.ts'
import type { Queue } from '../../topology/queue.ts'
import type { PublishFailures } from '../../transport/channel.ts'
import type { ConnectOptions } from '../../transport/transport.ts'
import { markRedelivered } from '../../virtual/envelope.ts'
import {
  parkedFor,
  type MessageStore,
  type Push,
  type Settlement,
  type StoreContext,
  type Taken,
  type TickResult,
} from '../../virtual/store.ts'
import { Agenda } from './agenda.ts'
import { MongoBroadcast } from './broadcast.ts'
import { claim, unlock, unlockForgotten, type Claimed, type Claimer } from './claim.ts'
import { insertEach } from './insert.ts'
import { giveBackAll, Lease, tickMs, waitingAgain } from './lease.ts'
import { Notices } from './notices.ts'
import { prepareDatabase, readSettings, storedPriority, type Settings } from './schema.ts'
import { Topology } from './topology.ts'

/** Largest document of MongoDB, less a little for the fields around the text. */
const largestText = 16 * 1024 * 1024 - 65_536

export class MongoStore implements MessageStore {
  readonly server: string
  readonly tickMs = tickMs
  readonly closed: Promise<MessagingError | undefined>
  readonly broadcast: MongoBroadcast
  readonly #link: MongoLink
  readonly #settings: Settings
  readonly #context: StoreContext
  readonly #lease: Lease
  readonly #notices: Notices
  readonly #topology: Topology
  readonly #agenda: Agenda
  readonly #claimer: Claimer
  /** Something got its hour while a tick was under way, which may have looked before. */
  #lookAgain = false
  #closing: Promise<void> | undefined

  static async open(options: ConnectOptions, context: StoreContext): Promise<MongoStore> {
    const settings = readSettings(options.target)
    const { defaultDatabase } = settings
    const link = await MongoLink.open(options, { defaultDatabase })
    try {
      await prepareDatabase(link, settings)
      const lease = new Lease(link, settings.names, context.ambient.clock, context.session)
      await lease.begin(context.resumes)
      return new MongoStore(link, settings, context, lease)
    } catch (error) {
      await link.close()
      throw error
    }
  }

  private constructor(link: MongoLink, settings: Settings, context: StoreContext, lease: Lease) {
    const { clock } = context.ambient
    this.server = link.server
    this.closed = link.ended
    this.#link = link
    this.#settings = settings
    this.#context = context
    this.#lease = lease
    this.#notices = new Notices(link, settings.names, clock, settings.pollMs)
    this.#topology = new Topology(link, settings)
    const { names } = settings
    this.#claimer = { link, names, owner: lease.name, clock, nowMs: () => lease.now }
    this.#agenda = new Agenda(this.#claimer)
    this.broadcast = new MongoBroadcast(link, settings.names, this.#notices)
    void link.ended.then(() => this.#notices.wakeAll())
  }

  /** Sessions outlive their links. */
  get identity(): string {
    return this.#lease.name
  }

  async declareQueue(queue: Queue): Promise<void> {
    await this.#topology.declareQueue(queue)
    if (await this.#agenda.declared(queue)) this.#lookSoon()
  }

  findQueue(name: string): Promise<Queue | undefined> {
    return this.#topology.findQueue(name)
  }

  async hasQueue(name: string): Promise<boolean> {
    if (await this.#topology.findQueue(name)) return true
    const one = { projection: { _id: 1 } }
    const found = await this.#link.run('look', () => this.#messages.findOne({ queue: name }, one))
    return found !== null
  }

  async removeQueue(name: string): Promise<number> {
    this.#agenda.forget(name)
    await this.#topology.removeQueue(name)
    return await this.#removeMessages(name)
  }

  async count(queue: string): Promise<number> {
    if (!this.#settings.calcQueueSize) return 0
    return await this.#link.run('count', () => this.#messages.countDocuments({ queue }))
  }

  async purge(queue: string): Promise<number> {
    return (await this.#link.run('purge', () => this.#messages.deleteMany({ queue }))).deletedCount
  }

  declareExchange(exchange: Exchange): Promise<void> {
    return this.#topology.declareExchange(exchange)
  }

  findExchange(name: string): Promise<Exchange | undefined> {
    return this.#topology.findExchange(name)
  }

  removeExchange(name: string): Promise<void> {
    return this.#topology.removeExchange(name)
  }

  bind(binding: Binding, exchange: Exchange | undefined): Promise<void> {
    return this.#topology.bind(binding, exchange)
  }

  unbind(binding: Binding): Promise<void> {
    return this.#topology.unbind(binding)
  }

  readBindings(exchange: string): Promise<readonly Binding[]> {
    return this.#topology.readBindings(exchange)
  }

  async push(batch: readonly Push[]): Promise<PublishFailures> {
    let failures: Map<number, MessagingError> | undefined
    const documents: MongoDocument[] = []
    const places: number[] = []
    for (const [place, { queue, text, priority, expiresAtMs }] of batch.entries()) {
      // A text has at most three bytes for each of its characters.
      if (text.length * 3 > largestText && Buffer.byteLength(text) > largestText) {
        ;(failures ??= new Map()).set(place, tooLarge(text))
        continue
      }
      places.push(place)
      documents.push({
        payload: text,
        queue,
        priority: storedPriority(priority),
        ...(expiresAtMs !== undefined && { expires: expiresAtMs }),
        ...(expiresAtMs !== undefined &&
          this.#settings.ttl && { expire_at: new Date(expiresAtMs) }),
      })
    }
    if (documents.length > 0) {
      const refused = await insertEach(this.#link, this.#settings.names.messages, documents)
      for (const [i, error] of refused) (failures ??= new Map()).set(places[i]!, error)
      this.#notices.tell(new Set(documents.map(({ queue }) => String(queue))))
    }
    return failures
  }

  async take(queues: readonly string[], max: number): Promise<Taken[]> {
    for (const queue of queues) await this.#agenda.used(queue)
    const claimed = await claim(this.#claimer, queues, max)
    const taken = await this.#toTaken(claimed)
    // A claim that only met garbage is not the end of the queue.
    return taken.length === 0 && claimed.length > 0 ? await this.take(queues, max) : taken
  }

  wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#notices.wait(queues, signal)
  }

  async settle(batch: readonly Settlement[]): Promise<void> {
    const removed: unknown[] = []
    const requeued: Settlement[] = []
    const writes: MongoWrite[] = []
    const told = new Set<string>()
    const all: unknown[] = []
    for (const settlement of batch) {
      const { taken, outcome } = settlement
      const id = this.#link.idOf(taken.receipt)
      all.push(id)
      if (outcome === 'remove') removed.push(id)
      else if (outcome === 'requeue') requeued.push(settlement)
      else
        writes.push({ updateOne: { filter: this.#mine(id), update: this.#back(taken, outcome) } })
      if (outcome === 'restore' || outcome === 'requeue') told.add(taken.queue)
    }
    let touched = 0
    if (requeued.length > 0) touched += await this.#requeue(requeued)
    if (writes.length > 0)
      touched += (
        await this.#link.run('give back', () =>
          this.#messages.bulkWrite(writes, { ordered: false }),
        )
      ).matchedCount
    if (removed.length > 0) {
      const filter = this.#mine({ $in: removed })
      touched += (await this.#link.run('settle', () => this.#messages.deleteMany(filter)))
        .deletedCount
    }
    await unlock(this.#link, this.#settings.names, this.#lease.name, all)
    this.#notices.tell(told)
    // Either settled before, or taken from a session that seemed dead.
    if (touched < batch.length) await this.#lease.check()
  }

  async giveBackBut(receipts: ReadonlySet<string>): Promise<void> {
    const owner = this.#lease.name
    await unlockForgotten(this.#claimer, this.#lease.now)
    const held = await this.#link.run('look', () =>
      this.#messages.find({ owner }, { projection: { held_queue: 1 } }).toArray(),
    )
    const unknown = held.filter(({ _id: id }) => !receipts.has(this.#link.idText(id)))
    if (unknown.length === 0) return
    const ids = unknown.map(({ _id: id }) => id as unknown)
    const filter = { _id: { $in: ids }, owner }
    this.#notices.tell(await this.#giveBack(filter, ids))
  }

  async join(queue: string): Promise<void> {
    await this.#agenda.joined(queue)
  }

  async leave(queue: string): Promise<void> {
    if (this.#link.isOver) return
    await this.#agenda.left(queue)
    this.#lookSoon()
  }

  async tick(): Promise<TickResult> {
    this.#lookAgain = false
    await this.#lease.renew()
    await this.#agenda.renew()
    const swept = await this.#lease.sweep()
    // Whatever is under way is younger; what a dead link still got through is not.
    await unlockForgotten(this.#claimer, this.#lease.now - 3 * tickMs)
    const released = await this.#agenda.release()
    const expired = await this.#agenda.expired()
    const ended = await this.#agenda.endedQueues()
    for (const name of ended.names) await this.removeQueue(name)
    await this.#notices.tidy()
    this.#notices.tell(new Set([...swept.queues, ...released.queues]))
    const nexts = [
      this.#lookAgain ? 0 : undefined,
      swept.nextEndMs,
      released.nextMs,
      expired.nextMs,
      ended.nextMs,
    ]
    const nextDueMs = Math.min(...nexts.map((next) => next ?? Infinity))
    return {
      restored: swept.restored + released.queues.length,
      nextDueMs: nextDueMs === Infinity ? undefined : nextDueMs,
      expired: await this.#toTaken(expired.claimed),
    }
  }

  close({ keep = false }: { keep?: boolean } = {}): Promise<void> {
    return (this.#closing ??= this.#close(keep))
  }

  async #close(keep: boolean): Promise<void> {
    try {
      if (!keep && !this.#link.isOver) {
        const owner = this.#lease.name
        // A later link may go on with this session, and what it holds.
        await this.#lease.check()
        this.#notices.tell(await this.#giveBack({ owner }, undefined))
        await this.#lease.leave()
      }
    } catch {
      // The link broke under the farewell: the lease ends by itself.
    } finally {
      await this.#link.close()
    }
  }

  #lookSoon(): void {
    this.#lookAgain = true
    this.#context.events.onDue()
  }

  get #messages() {
    return this.#link.collection(this.#settings.names.messages)
  }

  #back(taken: Taken, outcome: 'restore' | { readonly delayUntilMs: number }): MongoDocument {
    if (typeof outcome !== 'object')
      return { ...waitingAgain, $set: { payload: markRedelivered(taken.text, false) } }
    // Hours are given by our clock, and compared by the server's.
    const inMs = outcome.delayUntilMs - this.#context.ambient.clock.now()
    return { $set: { due: Math.ceil(this.#lease.now + inMs) }, $unset: { owner: '', mark: '' } }
  }

  /** Settles nothing that others may hold by now. */
  #mine(id: unknown): MongoDocument {
    return { _id: id, owner: this.#lease.name }
  }

  /** Without `ids`: all that this session holds. */
  async #giveBack(filter: MongoDocument, ids: readonly unknown[] | undefined): Promise<string[]> {
    const { names } = this.#settings
    const owner = this.#lease.name
    const queues = await giveBackAll(this.#link, names, filter)
    if (ids) await unlock(this.#link, names, owner, ids)
    else if (!this.#link.isAtomic)
      await this.#link.run('unlock', () => this.#link.collection(names.locks).deleteMany({ owner }))
    return queues
  }

  async #removeMessages(name: string): Promise<number> {
    const delayed = { held_queue: name, due: { $exists: true } }
    await this.#link.run('purge', () => this.#messages.deleteMany(delayed))
    return await this.purge(name)
  }

  /**
   * To the end of the queue, where only a new id stands. Stored before the old one goes: killed in between,
   * the message is there twice rather than never.
   */
  async #requeue(batch: readonly Settlement[]): Promise<number> {
    const ids = batch.map(({ taken }) => this.#link.idOf(taken.receipt))
    const filter = this.#mine({ $in: ids })
    const held = await this.#link.run('requeue', () => this.#messages.find(filter).toArray())
    const byId = new Map(held.map((document) => [this.#link.idText(document['_id']), document]))
    const again = batch.flatMap(({ taken }) => {
      const document = byId.get(taken.receipt)
      if (!document) return []
      const { priority, expires, held_queue: queue, held_expire_at: expireAt } = document
      const payload = markRedelivered(taken.text, true)
      const attempts = (taken.attempts ?? 0) + 1
      return [
        {
          payload,
          queue: queue as unknown,
          priority: priority as unknown,
          attempts,
          ...(expires !== undefined && { expires: expires as unknown }),
          ...(expireAt !== undefined && { expire_at: expireAt as unknown }),
        },
      ]
    })
    if (again.length === 0) return 0
    await this.#link.run('requeue', () => this.#messages.insertMany(again))
    const { deletedCount } = await this.#link.run('requeue', () =>
      this.#messages.deleteMany(filter),
    )
    return deletedCount
  }

  /** What cannot be a message is put aside, with its document as text. */
  async #toTaken(claimed: readonly Claimed[]): Promise<Taken[]> {
    const taken: Taken[] = []
    for (const { id, queue, payload, attempts, document } of claimed) {
      const text = this.#link.textOf(payload)
      if (text !== undefined) {
        taken.push({ receipt: this.#link.idText(id), queue, text, attempts })
        continue
      }
      const update = {
        $set: { queue: parkedFor(queue), payload: this.#link.show(document), priority: 0 },
        $unset: { held_queue: '', owner: '', mark: '' },
      }
      await this.#link.run('park', () => this.#messages.updateOne(this.#mine(id), update))
      await unlock(this.#link, this.#settings.names, this.#lease.name, [id])
      this.#context.events.onParked(queue, 'its payload is no text')
    }
    return taken
  }
}

function tooLarge(text: string): MessagingError {
  const bytes = Buffer.byteLength(text)
  return new MessagingError(
    'MESSAGING_TOO_LARGE',
    'message',
    `a message of ${bytes} bytes is too large for MongoDB, which takes ${largestText}; store it elsewhere and send its address`,
  )
}
