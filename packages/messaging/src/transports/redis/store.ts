/**
 * Kombu's layout on Redis, with claims that cannot lose a message: see scripts.ts for the atomic acts and
 * keys.ts for the names. Two sockets a session: one for commands, one for notices.
 */
import { Cork, openRedis, redisEnded, redisError, type RedisClient } from '../../clients/redis.ts'
import { MessagingError } from '../../kernel/errors.ts'
import type { Binding } from '../../topology/binding.ts'
import { exchange as makeExchange, type Exchange } from '../../topology/exchange.ts'
import type { Queue } from '../../topology/queue.ts'
import type { ConnectOptions } from '../../transport/transport.ts'
import { markRedelivered } from '../../virtual/envelope.ts'
import {
  parkedFor,
  parkedQueue,
  type MessageStore,
  type Push,
  type Settlement,
  type StoreContext,
  type Taken,
  type TickResult,
} from '../../virtual/store.ts'
import { decodeBinding, encodeBinding } from './bindings.ts'
import { RedisBroadcast } from './broadcast.ts'
import { redisKeys, type RedisKeys } from './keys.ts'
import { restoration } from './restoration.ts'
import { defineScripts, type CallScript } from './scripts.ts'
import { Watcher } from './watcher.ts'

/** Most values of one command: Lua's unpack and the server's patience have limits. */
const chunkSize = 1000
/** Messages looked at for giving back in one tick. */
const sweepLimit = 500

export class RedisStore implements MessageStore {
  readonly server: string
  readonly tickMs: number
  readonly closed: Promise<MessagingError | undefined>
  readonly broadcast: RedisBroadcast
  readonly #client: RedisClient
  readonly #subscriber: RedisClient
  readonly #cork: Cork
  readonly #call: CallScript
  readonly #keys: RedisKeys
  readonly #context: StoreContext
  readonly #watcher: Watcher
  readonly #visibilitySeconds: number
  readonly #exchanges = new Map<string, Exchange>()
  readonly #declared = new Set<string>()
  /** Bindings made by this session, by queue, so that removing a queue removes them. */
  readonly #bound = new Map<string, { key: string; member: string }[]>()
  #refreshedAtMs: number
  #first = true
  #closing: Promise<void> | undefined

  static async open(options: ConnectOptions, context: StoreContext): Promise<RedisStore> {
    const keys = redisKeys(options.target)
    const client = await openRedis(options)
    let subscriber: RedisClient | undefined
    try {
      subscriber = await openRedis(options)
      const info = await client.info('server')
      const version = /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown'
      const store = new RedisStore(client, subscriber, keys, options, context, `Redis ${version}`)
      await store.#watcher.start()
      await store.tick()
      return store
    } catch (error) {
      client.disconnect()
      subscriber?.disconnect()
      throw redisError(error, `connecting to ${options.target.masked}`, true)
    }
  }

  private constructor(
    client: RedisClient,
    subscriber: RedisClient,
    keys: RedisKeys,
    { target, ambient }: ConnectOptions,
    context: StoreContext,
    server: string,
  ) {
    this.server = server
    this.#client = client
    this.#subscriber = subscriber
    this.#cork = new Cork(client)
    this.#keys = keys
    this.#context = context
    this.#call = defineScripts(client)
    this.#watcher = new Watcher(client, subscriber, this.#cork, ambient.clock)
    this.broadcast = new RedisBroadcast(client, subscriber, keys)
    this.#visibilitySeconds = Number(target.options['visibilityTimeout'] ?? 3600)
    // Scores are refreshed with the lease; a sweeper must never see one older than the timeout.
    this.tickMs = Math.min(5000, this.#visibilitySeconds * 250)
    this.#refreshedAtMs = ambient.clock.monotonic()
    this.closed = Promise.race([redisEnded(client), redisEnded(subscriber)]).then((error) => {
      hangUp(client)
      hangUp(subscriber)
      this.#watcher.wake()
      return this.#closing ? undefined : redisError(error, 'the link to Redis was lost')
    })
  }

  async declareQueue(queue: Queue): Promise<void> {
    this.#declared.add(queue.name)
  }

  async hasQueue(name: string): Promise<boolean> {
    if (this.#declared.has(name)) return true
    return (await asked(this.#client.exists(...this.#keys.lists(name)))) > 0
  }

  async removeQueue(name: string): Promise<number> {
    const removed = await this.purge(name)
    for (const { key, member } of this.#bound.get(name) ?? [])
      await asked(this.#client.srem(key, member))
    this.#bound.delete(name)
    this.#declared.delete(name)
    return removed
  }

  async count(queue: string): Promise<number> {
    this.#cork.hold()
    const lists = this.#keys.lists(queue)
    const counts = await asked(Promise.all(lists.map((key) => this.#client.llen(key))))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  async purge(queue: string): Promise<number> {
    const transaction = this.#client.multi()
    const lists = this.#keys.lists(queue)
    for (const key of lists) transaction.llen(key)
    const results = await asked(transaction.del(...lists).exec())
    return (results ?? []).slice(0, -1).reduce((sum, [, count]) => sum + Number(count), 0)
  }

  async declareExchange(exchange: Exchange): Promise<void> {
    this.#exchanges.set(exchange.name, exchange)
  }

  /** Redis keeps no types: what this session declared, else a topic when the bindings carry patterns. */
  async findExchange(name: string): Promise<Exchange | undefined> {
    const declared = this.#exchanges.get(name)
    if (declared) return declared
    const members = await asked(this.#client.smembers(this.#keys.binding(name)))
    if (members.length === 0) return undefined
    const isTopic = members.some((m) => decodeBinding(name, m, this.#keys.separator)?.isTopic)
    return makeExchange(name, { type: isTopic ? 'topic' : 'direct' })
  }

  async removeExchange(name: string): Promise<void> {
    this.#exchanges.delete(name)
    await asked(this.#client.del(this.#keys.binding(name)))
  }

  async bind(binding: Binding, exchange: Exchange | undefined): Promise<void> {
    const key = this.#keys.binding(binding.exchange)
    const member = encodeBinding(binding, exchange?.type ?? 'direct', this.#keys.separator)
    const bound = this.#bound.get(binding.queue) ?? []
    // Every channel declares its queues anew.
    if (!bound.some((one) => one.key === key && one.member === member))
      this.#bound.set(binding.queue, [...bound, { key, member }])
    try {
      await asked(this.#client.sadd(key, member))
    } catch (error) {
      // Refused by a server that is full although it is there already: who makes room must get in.
      if (!(await asked(this.#client.sismember(key, member)))) throw error
    }
  }

  async unbind(binding: Binding, exchange: Exchange | undefined): Promise<void> {
    const member = encodeBinding(binding, exchange?.type ?? 'direct', this.#keys.separator)
    await asked(this.#client.srem(this.#keys.binding(binding.exchange), member))
  }

  async readBindings(exchange: string): Promise<readonly Binding[]> {
    const members = await asked(this.#client.smembers(this.#keys.binding(exchange)))
    return members
      .map((member) => decodeBinding(exchange, member, this.#keys.separator)?.binding)
      .filter((binding) => binding !== undefined)
  }

  async push(batch: readonly Push[]): Promise<void> {
    const lists = new Map<string, string[]>()
    for (const { queue, text, priority } of batch) {
      const key = this.#keys.list(queue, this.#keys.step(priority))
      const texts = lists.get(key)
      if (texts) texts.push(text)
      else lists.set(key, [text])
    }
    this.#cork.hold()
    const pushed: Promise<unknown>[] = []
    for (const [key, texts] of lists) {
      for (let i = 0; i < texts.length; i += chunkSize)
        pushed.push(this.#client.lpush(key, ...texts.slice(i, i + chunkSize)))
    }
    try {
      await Promise.all(pushed)
    } catch (error) {
      throw redisError(error, 'publishing to Redis')
    }
  }

  async take(queues: readonly string[], max: number): Promise<Taken[]> {
    const { sessions, unacked, unackedIndex, list, steps } = this.#keys
    const parking = [list(parkedQueue, 0), list(parkedFor(parkedQueue), 0)]
    const keys = [sessions, unacked, unackedIndex, this.#held, ...parking]
    for (const step of steps) for (const queue of queues) keys.push(list(queue, step))
    const args = [this.#context.session, Math.min(max, chunkSize), queues.length, ...queues]
    this.#cork.hold()
    const out = await this.#script('claim', keys, args)
    if (!Array.isArray(out)) throw leaseLost()
    const taken: Taken[] = []
    for (let i = 1; i < out.length; i += 3) {
      const queue = queues[(out[i + 1] as number) - 1]!
      taken.push({ receipt: out[i] as string, queue, text: out[i + 2] as string })
    }
    const parked = out[0] as number
    for (let i = 0; i < parked; i++)
      this.#context.events.onParked(queues.join(', '), 'no message envelope with a delivery tag')
    // A claim that only met garbage is not the end of the queue.
    return taken.length === 0 && parked > 0 ? await this.take(queues, max) : taken
  }

  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#watcher.wait(queues.flatMap(this.#keys.lists), signal)
  }

  async settle(batch: readonly Settlement[]): Promise<void> {
    const removed: string[] = []
    const delayed: (string | number)[] = []
    const back: string[] = []
    for (const { taken, outcome } of batch) {
      if (outcome === 'remove') removed.push(taken.receipt)
      else if (typeof outcome === 'object') {
        const score = outcome.delayUntilMs / 1000 - this.#visibilitySeconds
        delayed.push(taken.receipt, Math.max(score, 1).toFixed(3))
      } else {
        const text = markRedelivered(taken.text, outcome === 'requeue')
        const priority = priorityOf(text)
        const key = this.#keys.list(taken.queue, this.#keys.step(priority))
        back.push(taken.receipt, key, outcome === 'restore' ? 'R' : 'L', text)
      }
    }
    this.#cork.hold()
    const keys = this.#settleKeys
    const calls: Promise<unknown>[] = []
    const { session } = this.#context
    for (let i = 0; i < removed.length; i += chunkSize)
      calls.push(this.#script('settle', keys, [session, ...removed.slice(i, i + chunkSize)]))
    for (let i = 0; i < delayed.length; i += chunkSize)
      calls.push(this.#script('delay', keys, [session, ...delayed.slice(i, i + chunkSize)]))
    for (let i = 0; i < back.length; i += chunkSize)
      calls.push(this.#giveBack(this.#held, [session, '', ...back.slice(i, i + chunkSize)]))
    const answers = await Promise.all(calls)
    if (answers.some((answer) => answer === -1)) throw leaseLost()
  }

  async tick(): Promise<TickResult> {
    const now = this.#context.ambient.clock.monotonic()
    const refresh = now - this.#refreshedAtMs > this.#visibilitySeconds * 250 - 1
    if (refresh) this.#refreshedAtMs = now
    const [out] = await Promise.all([
      this.#script(
        'tick',
        [...this.#settleKeys, this.#keys.dead],
        [
          this.#context.session,
          this.tickMs * 3,
          this.#visibilitySeconds,
          sweepLimit,
          this.#keys.heldPrefix,
          this.#first ? 1 : 0,
          refresh ? 1 : 0,
        ],
      ),
      // The other socket must be alive too: a dead one would mean that no notice ever comes.
      asked(this.#subscriber.ping()),
    ])
    this.#first = false
    if (!Array.isArray(out)) throw leaseLost()
    const found = (out.length - 1) / 3
    // All at once: one after the other would outlast the lease where the server is far away.
    this.#cork.hold()
    const restoring: Promise<number>[] = []
    for (let i = 1; i < out.length; i += 3) {
      const [dead, receipt, value] = out.slice(i, i + 3) as [string, string, string]
      restoring.push(this.#restore(dead, receipt, value))
    }
    const restored = (await Promise.all(restoring)).reduce((sum, count) => sum + count, 0)
    const next = Number(out[0])
    // More than one look's worth: look again at once.
    if (found >= sweepLimit) return { restored, nextDueMs: 0 }
    return { restored, nextDueMs: next < 0 ? undefined : next }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    try {
      if (this.#client.status === 'ready')
        await this.#script('leave', [...this.#settleKeys, this.#keys.dead], [this.#context.session])
    } catch {
      // The link broke under the farewell: the lease ends by itself.
    } finally {
      hangUp(this.#client)
      hangUp(this.#subscriber)
    }
  }

  get #held(): string {
    return this.#keys.held(this.#context.session)
  }

  get #settleKeys(): string[] {
    const { sessions, unacked, unackedIndex } = this.#keys
    return [sessions, unacked, unackedIndex, this.#held]
  }

  async #script(...call: Parameters<CallScript>): Promise<unknown> {
    try {
      return await this.#call(...call)
    } catch (error) {
      throw redisError(error, `Redis (${call[0]})`)
    }
  }

  /** Puts one message of a dead session, or one that is due, back into its list. */
  async #restore(dead: string, receipt: string, value: string): Promise<number> {
    const back = restoration(value, dead !== '')
    const queues = back && (back.exchange === '' ? [back.routingKey] : await this.#route(back))
    const lists = back
      ? queues!.map((queue) => this.#keys.list(queue, this.#keys.step(back.priority)))
      : [this.#keys.list(parkedQueue, 0)]
    const text = back?.text ?? value
    const [first = this.#keys.list(parkedQueue, 0), ...copies] = lists
    const due = dead === '' ? this.#visibilitySeconds : ''
    const moved = await this.#giveBack(this.#keys.held(dead), ['', due, receipt, first, 'R', text])
    if (moved === 1) for (const list of copies) await asked(this.#client.rpush(list, text))
    return Number(moved)
  }

  #giveBack(held: string, args: readonly (string | number)[]): Promise<unknown> {
    const { sessions, unacked, unackedIndex, list } = this.#keys
    const keys = [sessions, unacked, unackedIndex, held, list(parkedQueue, 0)]
    return this.#script('giveBack', keys, args)
  }

  async #route(back: { exchange: string; routingKey: string }): Promise<string[]> {
    const bindings = await this.readBindings(back.exchange)
    const hits = bindings.filter((binding) => binding.routingKey === back.routingKey)
    return hits.length > 0 ? hits.map((binding) => binding.queue) : [back.routingKey]
  }
}

/** A command outside the scripts, with its error typed. */
async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw redisError(error, 'asking Redis')
  }
}

/** Only once: for a socket that is closed already, ioredis would keep the process waiting for 2 s. */
function hangUp(client: RedisClient): void {
  if (client.status !== 'end') client.disconnect()
}

/** Parsed, since headers may have a `priority` of their own. */
function priorityOf(text: string): number | undefined {
  const { properties } = JSON.parse(text) as { properties?: { priority?: unknown } }
  return typeof properties?.priority === 'number' ? properties.priority : undefined
}

function leaseLost(): MessagingError {
  return new MessagingError(
    'MESSAGING_LEASE_LOST',
    'connection',
    'this session was taken for dead, and others have its messages by now; it starts anew',
  )
}
