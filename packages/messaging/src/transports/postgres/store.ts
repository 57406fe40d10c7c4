/**
 * The store contract on PostgreSQL. A claimed message keeps its row and its place and only gets an owner,
 * so that giving back restores the old order, and a killed process loses nothing at any instant. Two
 * sockets a session: one for work, one that listens and keeps the lease, so that long work never costs it.
 */
import { PostgresLink, postgresError, type SqlAnswer, type SqlRow } from '../../clients/postgres.ts'
import { messageOf, MessagingError } from '../../kernel/errors.ts'
import type { Binding, ExchangeBinding } from '../../topology/binding.ts'
import type { Exchange } from '../../topology/exchange.ts'
import type { Queue } from '../../topology/queue.ts'
import type { ConnectOptions } from '../../transport/transport.ts'
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
import { Notices } from './notices.ts'
import { prepareSchema, tablesIn } from './schema.ts'
import { joinSession, resumeSession } from './sessions.ts'
import { buryLimit, statementsFor, type StatementName, type Statements } from './statements.ts'
import { PostgresTopology } from './topology.ts'

const leaseMs = 15_000
/** This long before the end of its lease a session counts as dead when its link is known to be gone. */
const cutMs = 6000
/** The link that works takes over the tick after a silence of this long, so that it is looked at as well. */
const silenceMs = 30_000
/** For what may have to move a great many rows. */
const patienceMs = 60_000
/** Most characters of texts in one statement; the server takes no more than 1 GB. */
const chunkChars = 64 * 1024 * 1024

/**
 * The tables are small or read through an index in the order wanted; what the planner knows of a queue is
 * always old, and a plan it made for an empty table would last. The server gives up a client that is gone.
 */
const setup = `SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off;
SET client_min_messages = warning; SET idle_in_transaction_session_timeout = 30000;
SET statement_timeout = ${patienceMs}; SET lock_timeout = 20000;
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3`

export class PostgresStore implements MessageStore {
  readonly server: string
  readonly tickMs = leaseMs / 3
  readonly identity: string
  readonly closed: Promise<MessagingError | undefined>
  readonly #work: PostgresLink
  readonly #watch: PostgresLink
  readonly #sql: Statements
  readonly #context: StoreContext
  readonly #notices: Notices
  readonly #topology: PostgresTopology
  /** The same on the link that watches, for what a tick has to clear away. */
  readonly #upkeep: PostgresTopology
  readonly #session: string
  /** The server's clock minus ours: hours are given by ours, and compared by the server's. */
  #skewMs: number
  #closing: Promise<void> | undefined

  static async open(options: ConnectOptions, context: StoreContext): Promise<PostgresStore> {
    const { target, heartbeatSeconds } = options
    const tables = tablesIn(target.options['schema'] ?? 'public')
    const heartbeatMs = heartbeatSeconds > 0 ? heartbeatSeconds * 1000 : patienceMs
    const watch = await PostgresLink.open(options, {
      deadlineMs: Math.min(heartbeatMs, 4000),
      setup,
    })
    let work: PostgresLink | undefined
    try {
      await prepareSchema(watch, tables)
      const sql = statementsFor(tables)
      const session = await joinSession(watch, sql, context, options.clientName, leaseMs)
      const identity = await resumeSession(watch, sql, session, context)
      work = await PostgresLink.open(options, { deadlineMs: heartbeatMs * 2, setup })
      const askedAtMs = context.ambient.clock.now()
      const [version, clock] = await Promise.all([
        work.run({ text: 'SHOW server_version' }),
        work.run(sql.clock),
      ])
      const skewMs = skewOf(clock.rows[0]!, askedAtMs)
      const server = `PostgreSQL ${String(version.rows[0]?.['server_version']).split(' ')[0]}`
      const notices = new Notices(watch, tables.schema, context.ambient.clock)
      return new PostgresStore(work, watch, sql, notices, context, {
        server,
        session,
        identity,
        skewMs,
      })
    } catch (error) {
      watch.hangUp()
      work?.hangUp()
      throw postgresError(error, `connecting to ${target.masked}`, true)
    }
  }

  private constructor(
    work: PostgresLink,
    watch: PostgresLink,
    sql: Statements,
    notices: Notices,
    context: StoreContext,
    about: {
      readonly server: string
      readonly session: string
      readonly identity: string
      readonly skewMs: number
    },
  ) {
    this.server = about.server
    this.identity = about.identity
    this.#session = about.session
    this.#skewMs = about.skewMs
    this.#work = work
    this.#watch = watch
    this.#sql = sql
    this.#context = context
    this.#notices = notices
    this.#topology = new PostgresTopology(work, sql, about.session)
    this.#upkeep = new PostgresTopology(watch, sql, about.session)
    this.closed = Promise.race([work.ended, watch.ended]).then((error) => {
      work.hangUp()
      watch.hangUp()
      notices.end()
      return this.#closing ? undefined : postgresError(error, 'the link to PostgreSQL was lost')
    })
  }

  async declareQueue(queue: Queue): Promise<void> {
    if (await this.#topology.declareQueue(queue)) this.#context.events.onDue()
  }

  findQueue(name: string): Promise<Queue | undefined> {
    return this.#topology.findQueue(name)
  }

  hasQueue(name: string): Promise<boolean> {
    return this.#topology.hasQueue(name)
  }

  removeQueue(name: string): Promise<number> {
    return this.#topology.removeQueue(name)
  }

  async count(queue: string): Promise<number> {
    const { rows } = await this.#work.run(this.#sql.count, [queue], patienceMs)
    return Number(rows[0]!['count'])
  }

  async purge(queue: string): Promise<number> {
    await this.#topology.checkOwner(queue)
    return (await this.#work.run(this.#sql.purge, [queue], patienceMs)).count
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

  bind(binding: Binding): Promise<void> {
    return this.#topology.bind(binding)
  }

  unbind(binding: Binding): Promise<void> {
    return this.#topology.unbind(binding)
  }

  readBindings(exchange: string): Promise<readonly Binding[]> {
    return this.#topology.readBindings(exchange)
  }

  bindExchange(binding: ExchangeBinding): Promise<void> {
    return this.#topology.bindExchange(binding)
  }

  unbindExchange(binding: ExchangeBinding): Promise<void> {
    return this.#topology.unbindExchange(binding)
  }

  readExchangeBindings(exchange: string): Promise<readonly ExchangeBinding[]> {
    return this.#topology.readExchangeBindings(exchange)
  }

  async push(batch: readonly Push[]): Promise<void> {
    const chunks = inChunks(batch).map((chunk) => columns(chunk, this.#skewMs))
    if (chunks.length === 1) await this.#run('push', ...chunks[0]!)
    else {
      const steps = chunks.map((values) => [this.#sql.push, values] as const)
      await this.#work.transact(steps, patienceMs)
    }
    this.#notify(batch.map(({ queue }) => queue))
  }

  async take(queues: readonly string[], max: number): Promise<Taken[]> {
    this.#notices.looking(queues)
    const using = this.#topology.use(queues)
    const { rows } = await this.#run('claim', this.#session, queues, max)
    await using
    if (rows[0]!['alive'] !== true) throw leaseLost()
    const taken = rows.filter((row) => row['id'] !== null).map(toTaken)
    if (taken.length > 0) this.#notices.tell(queues)
    else if (rows[0]!['more'] === true) this.#notices.tellSoon(queues)
    return taken
  }

  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#notices.wait(queues, signal)
  }

  async settle(batch: readonly Settlement[]): Promise<void> {
    const removed: string[] = []
    const restored: string[] = []
    const requeued: string[] = []
    const delayed: { id: string; dueMs: number }[] = []
    for (const { taken, outcome } of batch) {
      if (outcome === 'remove') removed.push(taken.receipt)
      else if (outcome === 'restore') restored.push(taken.receipt)
      else if (outcome === 'requeue') requeued.push(taken.receipt)
      else delayed.push({ id: taken.receipt, dueMs: outcome.delayUntilMs })
    }
    const answers: Promise<SqlAnswer>[] = []
    const mine = this.#session
    if (removed.length > 0) answers.push(this.#run('remove', mine, removed))
    if (restored.length > 0) answers.push(this.#run('restore', mine, restored))
    if (requeued.length > 0) answers.push(this.#run('requeue', mine, requeued))
    if (delayed.length > 0) {
      const hours = delayed.map(({ dueMs }) => Math.ceil(hourOf(dueMs + this.#skewMs)))
      const ids = delayed.map(({ id }) => id)
      answers.push(this.#run('delay', mine, ids, hours))
    }
    const kinds = await Promise.all(answers)
    const back = await Promise.all(answers.slice(removed.length > 0 ? 1 : 0))
    this.#notify(back.flatMap(({ rows }) => rows.map((row) => row['queue'] as string)))
    const settled = kinds.reduce((sum, { count }) => sum + count, 0)
    // Either its queue was removed meanwhile, or others hold it since this session was given up.
    if (settled < batch.length && (await this.#run('lives', mine)).count === 0) throw leaseLost()
  }

  async giveBackBut(receipts: ReadonlySet<string>): Promise<void> {
    const { rows } = await this.#run('restoreOthers', this.#session, [...receipts])
    this.#notify(rows.map((row) => row['queue'] as string))
  }

  async join(queue: string): Promise<void> {
    await this.#topology.join(queue)
  }

  async leave(queue: string): Promise<void> {
    if (await this.#topology.leave(queue)) await this.#notices.forget(queue)
  }

  async tick(): Promise<TickResult> {
    const { clock } = this.#context.ambient
    // The other link must be alive, too; mostly its work says so.
    const link = this.#work.silentMs > silenceMs ? this.#work : this.#watch
    const values = [this.#session, leaseMs, cutMs, this.#notices.awaited]
    const askedAtMs = clock.now()
    const { rows } = await link.run(this.#sql.tick, values, this.#watch.deadlineMs)
    const [found] = rows
    if (found?.['alive'] !== true) throw leaseLost()
    this.#skewMs = skewOf(found, askedAtMs)
    this.#notices.tell(found['ready'] as string[])
    const restored = found['restored'] as string[]
    this.#notify(restored, this.#watch)
    let expired: Taken[] = []
    if (found['mourning'] === true) {
      const dead = await this.#watch.run(this.#sql.mourn, [this.#session])
      expired = dead.rows.map(toTaken)
    }
    if (found['untidy'] === true) await this.#upkeep.tidy()
    const goesOn = found['unfinished'] === true || expired.length >= buryLimit
    const next = found['next'] === null ? undefined : Math.max(0, Number(found['next']))
    return { restored: restored.length, nextDueMs: goesOn ? 0 : next, expired }
  }

  close({ keep = false }: { keep?: boolean } = {}): Promise<void> {
    return (this.#closing ??= this.#close(keep))
  }

  async #close(keep: boolean): Promise<void> {
    try {
      if (!keep) {
        const values = [this.#session]
        const { rows } = await this.#work.run(this.#sql.giveBack, values, this.#watch.deadlineMs)
        this.#notify(rows.map((row) => row['queue'] as string))
        await this.#run('leave', this.#session)
        await this.#topology.end()
      }
    } catch (error) {
      // Then it ends with its lease, and others give back what it held.
      this.#context.ambient.log.warn('a session could not take its leave of PostgreSQL', {
        reason: messageOf(error),
      })
    } finally {
      await Promise.all([this.#work.close(), this.#watch.close()])
    }
  }

  #run(name: StatementName, ...values: unknown[]): Promise<SqlAnswer> {
    return this.#work.run(this.#sql[name], values)
  }

  /**
   * Wakes who waits for these queues. After the messages are kept, in a statement that writes nothing: the
   * server lets one transaction with a notice commit at a time. One that is lost costs a tick.
   */
  #notify(queues: readonly string[], link = this.#work): void {
    if (queues.length === 0) return
    link.run(this.#sql.notify, [this.#notices.channels(queues)]).catch(() => undefined)
  }
}

function toTaken(row: SqlRow): Taken {
  const text = row['text'] as string
  return {
    receipt: String(row['id']),
    queue: row['queue'] as string,
    text: row['redelivered'] === true ? marked(text) : text,
    attempts: row['attempts'] as number,
  }
}

/** A text that is no message goes on as it is, to be parked. */
function marked(text: string): string {
  try {
    return markRedelivered(text, false)
  } catch {
    return text
  }
}

/** Taken as if the answer were as old as the question: too late by its way, never too early. */
function skewOf(row: SqlRow, askedAtMs: number): number {
  return Number(row['clock']) - askedAtMs
}

/** PostgreSQL knows no hour beyond; JavaScript has no date there either. */
const lastHourMs = 8.64e15

function hourOf(ms: number): number {
  return Math.min(ms, lastHourMs)
}

function columns(batch: readonly Push[], skewMs: number): unknown[] {
  return [
    batch.map(({ queue }) => queue),
    batch.map(({ priority }) => boundedPriority(priority)),
    batch.map(({ expiresAtMs: ms }) => (ms === undefined ? null : hourOf(ms + skewMs))),
    batch.map(({ text }) => text),
  ]
}

function inChunks(batch: readonly Push[]): Push[][] {
  const chunks: Push[][] = []
  let chars = Infinity
  for (const push of batch) {
    if (chars + push.text.length > chunkChars) {
      chunks.push([])
      chars = 0
    }
    chunks.at(-1)!.push(push)
    chars += push.text.length
  }
  return chunks
}

function leaseLost(): MessagingError {
  return new MessagingError(
    'MESSAGING_LEASE_LOST',
    'connection',
    'this session was taken for dead, and others have its messages by now; it starts anew',
  )
}
