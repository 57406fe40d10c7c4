/**
 * The store contract on a database file. A claimed message keeps its row and its place and only gets an
 * owner, so that giving back restores the old order, and a killed process loses nothing at any instant.
 */
import { sqliteError } from '../../clients/sqlite.ts'
import { messageOf, MessagingError } from '../../kernel/errors.ts'
import type { Binding, ExchangeBinding } from '../../topology/binding.ts'
import {
  exchange as makeExchange,
  type Arguments,
  type Exchange,
  type ExchangeType,
} from '../../topology/exchange.ts'
import type { Queue } from '../../topology/queue.ts'
import { markRedelivered } from '../../virtual/envelope.ts'
import { boundedPriority } from '../../virtual/priorities.ts'
import type {
  MessageStore,
  Push,
  Settlement,
  StoreContext,
  Taken,
  TickResult,
} from '../../virtual/store.ts'
import type { SqliteBroker } from './broker.ts'
import { claim, toTaken } from './claim.ts'
import { isGone, ownIdentity, type Identity } from '../../virtual/process-identity.ts'
import { SqliteQueues } from './queues.ts'

const leaseMs = 15_000
/** Messages taken out of the way in one tick because their time is over. */
const expiryLimit = 500

export class SqliteStore implements MessageStore {
  readonly server: string
  readonly tickMs = leaseMs / 3
  readonly closed: Promise<MessagingError | undefined>
  readonly #broker: SqliteBroker
  readonly #context: StoreContext
  readonly #identity: Identity
  readonly #session: number
  readonly #queues: SqliteQueues
  #lastTickMs: number | undefined
  #closing: Promise<void> | undefined
  #resolveClosed!: (reason: MessagingError | undefined) => void

  static async open(broker: SqliteBroker, context: StoreContext): Promise<SqliteStore> {
    const identity = ownIdentity()
    const { host, pid, started } = identity
    return await broker.write(() => {
      const leaseEnd = Math.round(context.ambient.clock.now()) + leaseMs
      const row = broker.sql.beginSession.get(context.session, leaseEnd, host, pid, started)!
      const store = new SqliteStore(broker, context, identity, Number(row['id']))
      // At once: whoever starts again after a kill finds its own queues taken otherwise.
      store.#sweep(true)
      return store
    })
  }

  private constructor(
    broker: SqliteBroker,
    context: StoreContext,
    identity: Identity,
    session: number,
  ) {
    this.server = `SQLite ${broker.version}`
    this.#broker = broker
    this.#context = context
    this.#identity = identity
    this.#session = session
    this.#queues = new SqliteQueues(broker.sql, session)
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
  }

  async declareQueue(queue: Queue): Promise<void> {
    if (await this.#read(() => this.#queues.isDeclared(queue))) return
    await this.#write(() => this.#queues.declare(queue, this.#now))
    if (queue.arguments['x-expires'] !== undefined) this.#context.events.onDue()
  }

  async findQueue(name: string): Promise<Queue | undefined> {
    return await this.#read(() => this.#queues.find(name))
  }

  async join(queue: string): Promise<void> {
    await this.#write(() => this.#queues.join(queue, this.#now))
  }

  async leave(queue: string): Promise<void> {
    await this.#write(() => this.#queues.leave(queue, this.#now))
  }

  async consumers(queue: string): Promise<number> {
    return await this.#read(() => this.#queues.consumers(queue))
  }

  async hasQueue(name: string): Promise<boolean> {
    return await this.#read(
      () => this.#broker.sql.findQueue.get(name) !== undefined || this.#broker.hasAny([name]),
    )
  }

  async removeQueue(name: string): Promise<number> {
    return await this.#write(() => {
      this.#queues.check(name)
      return this.#queues.remove(name)
    })
  }

  async count(queue: string): Promise<number> {
    return await this.#read(() => Number(this.#broker.sql.count.get(queue)!['count']))
  }

  async purge(queue: string): Promise<number> {
    return await this.#write(() => Number(this.#broker.sql.purge.run(queue).changes))
  }

  async declareExchange(exchange: Exchange): Promise<void> {
    const { name, type, durable, autoDelete } = exchange
    const args = textOf(exchange.arguments)
    const found = await this.#read(() => this.#broker.sql.findExchange.get(name))
    if (found?.['type'] === type && found['arguments'] === args) return
    await this.#write(
      () =>
        void this.#broker.sql.declareExchange.run(
          name,
          type,
          Number(durable),
          Number(autoDelete),
          args,
        ),
    )
  }

  async findExchange(name: string): Promise<Exchange | undefined> {
    const found = await this.#read(() => this.#broker.sql.findExchange.get(name))
    if (!found) return undefined
    return makeExchange(name, {
      type: found['type'] as ExchangeType,
      durable: found['durable'] === 1,
      autoDelete: found['auto_delete'] === 1,
      arguments: JSON.parse(found['arguments'] as string) as Arguments,
    })
  }

  async removeExchange(name: string): Promise<void> {
    await this.#write(() => {
      this.#broker.sql.removeExchange.run(name)
      this.#broker.sql.removeBindingsTo.run(name)
      this.#broker.sql.removeOnwards.run(name)
    })
  }

  async bind({ exchange, queue, routingKey, arguments: args }: Binding): Promise<void> {
    await this.#write(
      () => void this.#broker.sql.bind.run(exchange, queue, routingKey, textOf(args)),
    )
  }

  async unbind({ exchange, queue, routingKey, arguments: args }: Binding): Promise<void> {
    await this.#write(
      () => void this.#broker.sql.unbind.run(exchange, queue, routingKey, textOf(args)),
    )
  }

  async readBindings(exchange: string): Promise<readonly Binding[]> {
    const rows = await this.#read(() => this.#broker.sql.bindings.all(exchange))
    return rows.map((row) => ({
      exchange,
      queue: row['queue'] as string,
      routingKey: row['routing_key'] as string,
      arguments: JSON.parse(row['arguments'] as string) as Arguments,
    }))
  }

  async bindExchange({
    exchange,
    to,
    routingKey,
    arguments: args,
  }: ExchangeBinding): Promise<void> {
    await this.#write(
      () => void this.#broker.sql.bindExchange.run(exchange, to, routingKey, textOf(args)),
    )
  }

  async unbindExchange({
    exchange,
    to,
    routingKey,
    arguments: args,
  }: ExchangeBinding): Promise<void> {
    await this.#write(
      () => void this.#broker.sql.unbindExchange.run(exchange, to, routingKey, textOf(args)),
    )
  }

  async readExchangeBindings(exchange: string): Promise<readonly ExchangeBinding[]> {
    const rows = await this.#read(() => this.#broker.sql.onwards.all(exchange))
    return rows.map((row) => ({
      exchange,
      to: row['target'] as string,
      routingKey: row['routing_key'] as string,
      arguments: JSON.parse(row['arguments'] as string) as Arguments,
    }))
  }

  async push(batch: readonly Push[]): Promise<void> {
    await this.#write(() => {
      const { push } = this.#broker.sql
      for (const { queue, text, priority, expiresAtMs, dueAtMs } of batch) {
        const [expires, due] = [wholeMs(expiresAtMs), wholeMs(dueAtMs)]
        push.run(queue, boundedPriority(priority), text, expires, due)
        this.#broker.touch(queue)
      }
    })
  }

  async take(queues: readonly string[], max: number): Promise<Taken[]> {
    // Reading needs no lock: nobody is kept from writing by those who look in vain.
    if (!(await this.#read(() => this.#broker.hasAny(queues)))) return []
    return await this.#write(() => {
      this.#checkLease()
      return claim(this.#broker.sql, this.#session, queues, max)
    })
  }

  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#broker.wait(queues, signal)
  }

  async settle(batch: readonly Settlement[]): Promise<void> {
    await this.#write(() => {
      this.#checkLease()
      const removed: number[] = []
      for (const { taken, outcome } of batch) {
        if (outcome === 'remove') removed.push(Number(taken.receipt))
        else this.#giveBack(taken, outcome)
      }
      if (removed.length > 0) this.#broker.sql.remove.run(this.#session, JSON.stringify(removed))
    })
  }

  async tick(): Promise<TickResult> {
    if (!this.#broker.isInPlace) {
      throw new MessagingError(
        'MESSAGING_STORE_FAILED',
        'connection',
        `${this.#broker.path} was moved away or replaced while it was in use`,
      )
    }
    return await this.#write(() => {
      const { sql } = this.#broker
      const leaseEnd = this.#now + leaseMs
      if (Number(sql.renew.run(leaseEnd, this.#session).changes) === 0) throw leaseLost()
      // After a machine slept, its clock was set or this thread stood still, everybody's lease looks ended:
      // the others first get the time to say that they live.
      const wasAway = this.#lastTickMs !== undefined && this.#now - this.#lastTickMs > leaseMs
      this.#lastTickMs = this.#now
      const restored = this.#sweep(!wasAway)
      const queueEnds = this.#queues.expire(this.#now)
      const expired = sql.claimExpired.all(this.#session, this.#now, expiryLimit).map(toTaken)
      const due = sql.nextDue.get()?.['due']
      const expires = sql.nextExpiry.get()?.['expires']
      const nexts = [queueEnds, due, expires].filter((next) => typeof next === 'number')
      const nextDueMs = nexts.length === 0 ? undefined : Math.max(0, Math.min(...nexts) - this.#now)
      return { restored, expired, nextDueMs }
    })
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    const { sql } = this.#broker
    try {
      await this.#broker.write(() => {
        for (const row of sql.heldBy.all(this.#session)) {
          sql.restore.run(markRedelivered(row['text'] as string, false), row['id']!, this.#session)
          this.#broker.touch(row['queue'] as string)
        }
        this.#queues.removeOf(this.#session, this.#now)
        sql.endSession.run(this.#session)
      })
    } catch (error) {
      // Then it ends with its lease, and others give back what it held.
      this.#context.ambient.log.warn('a session could not take its leave', {
        path: this.#broker.path,
        reason: messageOf(error),
      })
    } finally {
      this.#broker.release()
      this.#resolveClosed(undefined)
    }
  }

  get #now(): number {
    return Math.round(this.#context.ambient.clock.now())
  }

  async #read<T>(run: () => T): Promise<T> {
    return await this.#guard(() => this.#broker.read(run))
  }

  async #write<T>(run: () => T): Promise<T> {
    return await this.#guard(() => this.#broker.write(run))
  }

  /** A damaged file ends the session, as a broken link does. */
  async #guard<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing) {
      throw new MessagingError(
        'MESSAGING_CONNECTION_CLOSED',
        'connection',
        'this session is closed',
      )
    }
    try {
      return await work()
    } catch (thrown) {
      const error = sqliteError(thrown, `using ${this.#broker.path}`)
      if (error.fault === 'fatal') this.#resolveClosed(error)
      throw error
    }
  }

  /** A session that was given up must not touch what others may hold by now. */
  #checkLease(): void {
    if (!this.#broker.sql.lives.get(this.#session)) throw leaseLost()
  }

  #giveBack({ receipt, queue, text }: Taken, outcome: Settlement['outcome']): void {
    const { sql } = this.#broker
    const id = Number(receipt)
    if (typeof outcome === 'object') {
      sql.delay.run(wholeMs(outcome.delayUntilMs), id, this.#session)
      return
    }
    const statement = outcome === 'restore' ? sql.restore : sql.requeue
    statement.run(markRedelivered(text, false), id, this.#session)
    this.#broker.touch(queue)
  }

  /** What dead sessions held goes back, and what is due. */
  #sweep(leasesCount: boolean): number {
    const { sql } = this.#broker
    let restored = 0
    for (const row of sql.others.all(this.#session)) {
      const other = {
        host: row['host'] as string,
        pid: row['pid'] as number,
        started: row['started'] as string,
      }
      const ended = leasesCount && (row['lease_end'] as number) < this.#now
      if (!ended && !isGone(other, this.#identity)) continue
      sql.endSession.run(row['id']!)
      restored += this.#touchAll(sql.giveBack.all(row['id']!))
      // Last: what was held of a queue that goes must go with it.
      this.#queues.removeOf(row['id'] as number, this.#now)
    }
    return restored + this.#touchAll(sql.release.all(this.#now))
  }

  #touchAll(rows: readonly { readonly [name: string]: unknown }[]): number {
    for (const { queue } of rows) this.#broker.touch(queue as string)
    return rows.length
  }
}

/** Columns take whole numbers only, and one that does not fit would undo what others write with it. */
function wholeMs(ms: number | null | undefined): number | null {
  if (ms === undefined || ms === null || Number.isNaN(ms)) return null
  return Math.min(Math.ceil(ms), Number.MAX_SAFE_INTEGER)
}

/** The same text for equal arguments, whatever the order of their names. */
function textOf(args: Arguments): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(args).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  )
}

function leaseLost(): MessagingError {
  return new MessagingError(
    'MESSAGING_LEASE_LOST',
    'connection',
    'this session was taken for dead, and others have its messages by now; it starts anew',
  )
}
