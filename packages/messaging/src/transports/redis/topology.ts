/**
 * Exchanges, bindings and queues on Redis. It keeps next to nothing of them: bindings as Kombu does, and the
 * lists of queues that hold something; what was declared, this session remembers.
 */
import { MessagingError } from '../../kernel/errors.ts'
import type { Binding } from '../../topology/binding.ts'
import { exchange as makeExchange, type Exchange } from '../../topology/exchange.ts'
import type { Queue } from '../../topology/queue.ts'
import { decodeBinding, encodeBinding } from './bindings.ts'
import type { Expiry } from './expiry.ts'
import type { RedisKeys } from './keys.ts'
import type { Restoration } from './restoration.ts'
import type { Wire } from './wire.ts'

export class RedisTopology {
  readonly #wire: Wire
  readonly #keys: RedisKeys
  readonly #expiry: Expiry
  /** The session goes on: a queue that turned out to be something else must not stop the others again. */
  readonly #isTolerant: boolean
  readonly #exchanges = new Map<string, Exchange>()
  readonly #declared = new Set<string>()
  /** Queues whose lists were lists when they were counted. */
  readonly #counted = new Set<string>()
  /** Bindings made by this session, by queue, so that removing a queue removes them. */
  readonly #bound = new Map<string, { key: string; member: string }[]>()

  constructor(wire: Wire, keys: RedisKeys, expiry: Expiry, isTolerant: boolean) {
    this.#wire = wire
    this.#keys = keys
    this.#expiry = expiry
    this.#isTolerant = isTolerant
  }

  async declareQueue(queue: Queue): Promise<void> {
    await this.#expiry.declare(queue)
    this.#declared.add(queue.name)
  }

  async hasQueue(name: string): Promise<boolean> {
    const ends = this.#expiry.has(name)
    if (this.#declared.has(name) && !ends) return true
    this.#wire.hold()
    const [first, ...others] = this.#keys.lists(name)
    const [found, isAlive] = await Promise.all([
      this.#wire.send('EXISTS', first!, ...others),
      this.#expiry.isAlive(name),
    ])
    return Number(found) > 0 || isAlive
  }

  async removeQueue(name: string): Promise<number> {
    const removed = await this.purge(name)
    for (const { key, member } of this.#bound.get(name) ?? [])
      await this.#wire.send('SREM', key, member)
    this.#bound.delete(name)
    this.#declared.delete(name)
    this.#counted.delete(name)
    await this.#expiry.remove(name)
    return removed
  }

  async count(queue: string): Promise<number> {
    this.#wire.hold()
    const lists = this.#keys.lists(queue)
    const isTolerant = this.#isTolerant || this.#counted.has(queue)
    const counts = await Promise.all(lists.map((key) => this.#length(key, isTolerant)))
    if (this.#declared.has(queue)) this.#counted.add(queue)
    return counts.reduce((sum, count) => sum + count, 0)
  }

  async purge(queue: string): Promise<number> {
    return Number(await this.#wire.script('purge', this.#keys.lists(queue), []))
  }

  declareExchange(exchange: Exchange): void {
    this.#exchanges.set(exchange.name, exchange)
  }

  /**
   * Redis keeps no types: what this session declared, else a topic when the bindings carry patterns. Nothing
   * tells a direct one from a fanout, so that it can still be declared as either.
   */
  async findExchange(name: string): Promise<Exchange | undefined> {
    const declared = this.#exchanges.get(name)
    if (declared) return declared
    const members = await this.#members(name)
    const isTopic = members.some((m) => decodeBinding(name, m, this.#keys.separator)?.isTopic)
    return isTopic ? makeExchange(name, { type: 'topic' }) : undefined
  }

  async removeExchange(name: string): Promise<void> {
    this.#exchanges.delete(name)
    await this.#wire.send('DEL', this.#keys.binding(name))
  }

  async bind(binding: Binding, exchange: Exchange | undefined): Promise<void> {
    const key = this.#keys.binding(binding.exchange)
    const member = encodeBinding(binding, exchange?.type ?? 'direct', this.#keys.separator)
    const bound = this.#bound.get(binding.queue) ?? []
    // Every channel declares its queues anew.
    if (!bound.some((one) => one.key === key && one.member === member))
      this.#bound.set(binding.queue, [...bound, { key, member }])
    await this.#expiry.bound(binding.queue, key, member, exchange?.type === 'fanout')
    try {
      await this.#wire.send('SADD', key, member)
    } catch (error) {
      // Refused by a server that is full although it is there already: who makes room must get in.
      if (!(await this.#wire.send('SISMEMBER', key, member))) throw error
    }
  }

  async unbind(binding: Binding, exchange: Exchange | undefined): Promise<void> {
    const member = encodeBinding(binding, exchange?.type ?? 'direct', this.#keys.separator)
    await this.#wire.send('SREM', this.#keys.binding(binding.exchange), member)
  }

  async readBindings(exchange: string): Promise<readonly Binding[]> {
    return (await this.#members(exchange))
      .map((member) => decodeBinding(exchange, member, this.#keys.separator)?.binding)
      .filter((binding) => binding !== undefined)
  }

  /** Queues to which a message of an exchange goes back. */
  readonly route = async (back: Restoration): Promise<string[]> => {
    const bindings = await this.readBindings(back.exchange)
    const hits = bindings.filter((binding) => binding.routingKey === back.routingKey)
    return hits.length > 0 ? hits.map((binding) => binding.queue) : [back.routingKey]
  }

  async #members(exchange: string): Promise<string[]> {
    return (await this.#wire.send('SMEMBERS', this.#keys.binding(exchange))) as string[]
  }

  async #length(key: string, isTolerant: boolean): Promise<number> {
    try {
      return Number(await this.#wire.send('LLEN', key))
    } catch (error) {
      if (!MessagingError.is(error) || error.fault !== 'message') throw error
      if (isTolerant) return 0
      throw new MessagingError('MESSAGING_DECLARATION_REFUSED', 'channel', error.message, {
        cause: error,
      })
    }
  }
}
