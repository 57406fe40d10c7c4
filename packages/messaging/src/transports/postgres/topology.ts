/** Queues, exchanges and bindings in their tables: who declared, who consumes, and what goes when nobody does. */
import { createHash } from 'node:crypto'
import type { PostgresLink, SqlAnswer, SqlRow } from '../../clients/postgres.ts'
import type { Binding, ExchangeBinding } from '../../topology/binding.ts'
import {
  exchange as makeExchange,
  type Arguments,
  type Exchange,
  type ExchangeType,
} from '../../topology/exchange.ts'
import { queue as makeQueue, type Queue } from '../../topology/queue.ts'
import { refused } from '../../virtual/refusals.ts'
import type { StatementName, Statements } from './statements.ts'

/** For what may have to move a great many rows. */
const patienceMs = 60_000

export class PostgresTopology {
  readonly #link: PostgresLink
  readonly #sql: Statements
  readonly #session: string
  /** Consumers of this session, by queue. */
  readonly #consumers = new Map<string, number>()
  /** Queues with an `x-expires` that this session declared: fetching from them keeps them. */
  readonly #lapsing = new Set<string>()

  constructor(link: PostgresLink, sql: Statements, session: string) {
    this.#link = link
    this.#sql = sql
    this.#session = session
  }

  /** True when the queue goes by itself after a while. */
  async declareQueue(queue: Queue): Promise<boolean> {
    const { name, durable, exclusive, autoDelete, arguments: args } = queue
    const ttlMs = args['x-expires']
    const lapses = typeof ttlMs === 'number'
    if (lapses) {
      const { rows } = await this.#run('lapsed', name)
      if (rows.length > 0) await this.#drop([name])
      this.#lapsing.add(name)
    }
    const { count } = await this.#run(
      'declareQueue',
      name,
      durable,
      exclusive,
      autoDelete,
      textOf(args),
      exclusive ? this.#session : null,
      args['x-dead-letter-exchange'] !== undefined,
      lapses ? ttlMs : null,
      this.#session,
    )
    if (count === 0) throw exclusiveToAnother(name)
    return lapses
  }

  async findQueue(name: string): Promise<Queue | undefined> {
    const { rows } = await this.#run('findQueue', name)
    const [found] = rows
    if (!found) return undefined
    return makeQueue(name, {
      durable: found['durable'] === true,
      exclusive: found['exclusive'] === true,
      autoDelete: found['auto_delete'] === true,
      arguments: argumentsOf(found),
    })
  }

  async hasQueue(name: string): Promise<boolean> {
    const { rows } = await this.#run('hasQueue', name)
    return rows[0]?.['there'] === true
  }

  async removeQueue(name: string): Promise<number> {
    await this.checkOwner(name)
    this.#lapsing.delete(name)
    return await this.#drop([name])
  }

  /** Throws when the queue belongs to another session. */
  async checkOwner(name: string): Promise<void> {
    const { rows } = await this.#run('ownerOf', name, this.#session)
    if (rows.length > 0) throw exclusiveToAnother(name)
  }

  async join(name: string): Promise<void> {
    await this.checkOwner(name)
    const consumers = (this.#consumers.get(name) ?? 0) + 1
    this.#consumers.set(name, consumers)
    if (consumers > 1) return
    // Both in one: nobody may see the queue without its consumer.
    await this.#link.transact([
      [this.#sql.consume, [name, this.#session]],
      [this.#sql.keepQueue, [name]],
    ])
  }

  /** True when this was the last consumer of this session. */
  async leave(name: string): Promise<boolean> {
    const left = (this.#consumers.get(name) ?? 0) - 1
    if (left < 0) return false
    if (left > 0) {
      this.#consumers.set(name, left)
      return false
    }
    this.#consumers.delete(name)
    await this.#run('endConsuming', name, this.#session)
    await this.tidy([name])
    return true
  }

  /** Fetching one by one is using a queue, too. */
  async use(queues: readonly string[]): Promise<void> {
    if (this.#lapsing.size === 0) return
    const used = queues.filter((name) => this.#lapsing.has(name) && !this.#consumers.has(name))
    if (used.length > 0) await this.#run('useQueue', used)
  }

  /** The end of this session. */
  async end(): Promise<void> {
    const { rows } = await this.#run('endAllConsuming', this.#session)
    await this.tidy(rows.map((row) => row['queue'] as string))
  }

  /** Removes what nobody keeps: after these queues lost a consumer, and after sessions died. */
  async tidy(left: readonly string[] = []): Promise<void> {
    const dead = await this.#run('endDeadConsuming')
    const lost = [...left, ...dead.rows.map((row) => row['queue'] as string)]
    await this.#run('idle', lost)
    const { rows } = await this.#run('unkept', lost)
    if (rows.length > 0) await this.#drop(rows.map((row) => row['name'] as string))
  }

  async declareExchange(exchange: Exchange): Promise<void> {
    const { name, type, durable, autoDelete } = exchange
    await this.#run('declareExchange', name, type, durable, autoDelete, textOf(exchange.arguments))
  }

  async findExchange(name: string): Promise<Exchange | undefined> {
    const { rows } = await this.#run('findExchange', name)
    const [found] = rows
    if (!found) return undefined
    return makeExchange(name, {
      type: found['type'] as ExchangeType,
      durable: found['durable'] === true,
      autoDelete: found['auto_delete'] === true,
      arguments: argumentsOf(found),
    })
  }

  async removeExchange(name: string): Promise<void> {
    const [, , onwards] = await this.#link.transact([
      [this.#sql.removeExchange, [name]],
      [this.#sql.unbindExchanged, [name]],
      [this.#sql.unbindOnwards, [name]],
    ])
    await this.#removeUnbound(onwards!.rows)
  }

  async bind(binding: Binding): Promise<void> {
    const { exchange, queue, routingKey } = binding
    const args = textOf(binding.arguments)
    const key = digest(exchange, queue, routingKey, args)
    await this.#run('bind', key, exchange, queue, routingKey, args)
  }

  async unbind({ exchange, queue, routingKey, arguments: args }: Binding): Promise<void> {
    const { rows } = await this.#run('unbind', digest(exchange, queue, routingKey, textOf(args)))
    await this.#removeUnbound(rows)
  }

  async readBindings(exchange: string): Promise<readonly Binding[]> {
    const { rows } = await this.#run('bindings', exchange)
    return rows.map((row) => ({
      exchange,
      queue: row['queue'] as string,
      routingKey: row['routing_key'] as string,
      arguments: argumentsOf(row),
    }))
  }

  async bindExchange(binding: ExchangeBinding): Promise<void> {
    const { exchange, to, routingKey } = binding
    const args = textOf(binding.arguments)
    const key = digest(exchange, to, routingKey, args)
    await this.#run('bindOnwards', key, exchange, to, routingKey, args)
  }

  async unbindExchange(binding: ExchangeBinding): Promise<void> {
    const { exchange, to, routingKey, arguments: args } = binding
    const { rows } = await this.#run('unbindOnward', digest(exchange, to, routingKey, textOf(args)))
    await this.#removeUnbound(rows)
  }

  async readExchangeBindings(exchange: string): Promise<readonly ExchangeBinding[]> {
    const { rows } = await this.#run('onwards', exchange)
    return rows.map((row) => ({
      exchange,
      to: row['target'] as string,
      routingKey: row['routing_key'] as string,
      arguments: argumentsOf(row),
    }))
  }

  #run(name: StatementName, ...values: unknown[]): Promise<SqlAnswer> {
    return this.#link.run(this.#sql[name], values)
  }

  /** Queues with all that is theirs; resolves with the number of messages that waited. */
  async #drop(names: readonly string[]): Promise<number> {
    const [, , messages, bindings] = await this.#link.transact(
      [
        [this.#sql.dropQueues, [names]],
        [this.#sql.dropConsumers, [names]],
        [this.#sql.dropMessages, [names]],
        [this.#sql.unbindQueues, [names]],
      ],
      patienceMs,
    )
    await this.#removeUnbound(bindings!.rows)
    return Number(messages!.rows[0]!['count'])
  }

  /** Exchanges that lost a binding and go with their last one. */
  async #removeUnbound(lost: readonly SqlRow[]): Promise<void> {
    const names = [...new Set(lost.map((row) => row['exchange'] as string))]
    if (names.length === 0) return
    const { rows } = await this.#run('unboundExchanges', names)
    for (const { name } of rows) await this.removeExchange(name as string)
  }
}

/** The same text for equal arguments, whatever the order of their names. */
function textOf(args: Arguments): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(args).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  )
}

function argumentsOf(row: SqlRow): Arguments {
  return JSON.parse(row['arguments'] as string) as Arguments
}

function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

function exclusiveToAnother(name: string): Error {
  return refused(`queue '${name}' is exclusive to another connection`)
}
