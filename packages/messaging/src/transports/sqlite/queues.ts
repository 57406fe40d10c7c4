/**
 * What the file knows of queues besides their messages: how they were declared, who consumes them, whose
 * they are and until when they live. Every method runs inside a transaction of the caller.
 */
import type { Queue } from '../../topology/queue.ts'
import { refused } from '../../virtual/refusals.ts'
import type { Statements } from './schema.ts'

export class SqliteQueues {
  readonly #sql: Statements
  readonly #session: number

  constructor(sql: Statements, session: number) {
    this.#sql = sql
    this.#session = session
  }

  /** True when declaring it would change nothing. */
  isDeclared(queue: Queue): boolean {
    const row = this.#sql.findQueue.get(queue.name)
    return row?.['declaration'] === textOf(queue) && row['ttl'] === null && row['owner'] === null
  }

  declare(queue: Queue, now: number): void {
    this.check(queue.name)
    const owner = queue.exclusive ? this.#session : null
    this.#sql.declareQueue.run(queue.name, textOf(queue), ttlOf(queue), now, owner)
  }

  find(name: string): Queue | undefined {
    const text = this.#sql.findQueue.get(name)?.['declaration']
    return typeof text === 'string' ? (JSON.parse(text) as Queue) : undefined
  }

  /** Throws when the queue belongs to another session. */
  check(name: string): void {
    const owner = this.#sql.findQueue.get(name)?.['owner']
    if (typeof owner === 'number' && owner !== this.#session)
      throw refused(`queue '${name}' is exclusive to another connection`)
  }

  /** The queue with its messages and bindings; answers how many waited. */
  remove(name: string): number {
    const removed = Number(this.#sql.purge.run(name).changes)
    this.#sql.dropDelayed.run(name)
    this.#sql.removeBindingsOf.run(name)
    this.#sql.removeQueue.run(name)
    return removed
  }

  join(name: string, now: number): void {
    this.check(name)
    this.#sql.join.run(name, this.#session)
    this.use(name, now)
  }

  leave(name: string, now: number): void {
    this.#sql.leave.run(name, this.#session)
    this.#sql.leaveIdle.run(name, this.#session)
    this.use(name, now)
    if (this.consumers(name) === 0 && this.find(name)?.autoDelete) this.remove(name)
  }

  use(name: string, now: number): void {
    this.#sql.useQueue.run(now, name)
  }

  consumers(name: string): number {
    return Number(this.#sql.consumers.get(name)!['count'])
  }

  /** What a session leaves behind goes: its consumers, the queues it owned, those it was the last to use. */
  removeOf(session: number, now: number): void {
    for (const { name } of this.#sql.ownedBy.all(session)) this.remove(name as string)
    for (const { queue } of this.#sql.consumedBy.all(session)) {
      this.#sql.forgetConsumer.run(queue as string, session)
      this.use(queue as string, now)
      if (this.consumers(queue as string) === 0 && this.find(queue as string)?.autoDelete)
        this.remove(queue as string)
    }
  }

  /** Removes those whose time is over; answers when the next one goes. */
  expire(now: number): number | undefined {
    for (const { name } of this.#sql.unusedQueues.all(now)) this.remove(name as string)
    const next = this.#sql.nextUnused.get()?.['ends']
    return typeof next === 'number' ? next : undefined
  }
}

/** Milliseconds a queue stays that nobody uses; null for ever. */
function ttlOf({ arguments: args }: Queue): number | null {
  const expires = args['x-expires']
  return typeof expires === 'number' && expires >= 0 ? Math.ceil(expires) : null
}

/** The declaration without its bindings, which have rows of their own. */
function textOf(queue: Queue): string {
  const args = Object.entries(queue.arguments).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify({ ...queue, arguments: Object.fromEntries(args), bindings: [] })
}
