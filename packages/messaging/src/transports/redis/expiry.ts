/**
 * Queues that end when nobody uses them: those with `x-expires`, and exclusive ones, whose owner is this
 * session. Kombu lets their lists expire; here somebody also removes their bindings, which Redis cannot.
 */
import type { Queue } from '../../topology/queue.ts'
import type { RedisKeys } from './keys.ts'
import type { Wire } from './wire.ts'

interface Ending {
  /** How long it stays unused; 0 for one that goes with this session. */
  readonly ms: number
  /** Consumers of this session. */
  consumers: number
}

export class Expiry {
  readonly #wire: Wire
  readonly #keys: RedisKeys
  /** While it is in use, or its owner lives: renewed with the lease, for as long. */
  readonly #leaseMs: number
  readonly #queues = new Map<string, Ending>()
  /** Auto-delete queues, which end with this session when they only listen to fanouts. */
  readonly #autoDelete = new Set<string>()

  constructor(wire: Wire, keys: RedisKeys, leaseMs: number) {
    this.#wire = wire
    this.#keys = keys
    this.#leaseMs = leaseMs
  }

  has(queue: string): boolean {
    return this.#queues.has(queue)
  }

  get isEmpty(): boolean {
    return this.#queues.size === 0
  }

  async declare({ name, exclusive, autoDelete, arguments: args }: Queue): Promise<void> {
    if (autoDelete) this.#autoDelete.add(name)
    const expires = args['x-expires']
    const ms = typeof expires === 'number' ? expires : undefined
    if (ms === undefined && !exclusive) return
    await this.#register(name, ms ?? 0)
  }

  /** Remembers that this binding goes with its queue; told before it is made. */
  async bound(queue: string, key: string, member: string, isFanout: boolean): Promise<void> {
    // What a fanout sends is kept in no list, so nothing is removed but the binding.
    const isListener = isFanout && this.#autoDelete.has(queue)
    if (isListener && !this.#queues.has(queue)) await this.#register(queue, 0)
    if (!this.#queues.has(queue)) return
    await this.#touch(queue, true, [`B${Buffer.byteLength(key)}:${key}${member}`])
  }

  /** Messages were put into it: a list that is new has no end yet. */
  async pushed(queue: string): Promise<void> {
    if (this.#queues.has(queue)) await this.#touch(queue, true)
  }

  /** Somebody looked into it without consuming it. */
  async read(queue: string): Promise<void> {
    if (this.#queues.get(queue)?.consumers === 0) await this.#touch(queue, true)
  }

  async join(queue: string): Promise<void> {
    const ending = this.#queues.get(queue)
    if (!ending) return
    ending.consumers++
    await this.#touch(queue, true)
  }

  async leave(queue: string): Promise<void> {
    const ending = this.#queues.get(queue)
    if (!ending) return
    ending.consumers--
    await this.#touch(queue, false)
  }

  /** False when its end has come; for others than `has` there is no end. */
  async isAlive(queue: string): Promise<boolean> {
    return (await this.#wire.script('alive', [this.#keys.expiring], [queue])) === 1
  }

  /** Queues that must not end for now, as name and ms. */
  inUse(): (string | number)[] {
    const all: (string | number)[] = []
    for (const [name, { ms, consumers }] of this.#queues)
      if (consumers > 0 || ms === 0) all.push(name, Math.max(ms, this.#leaseMs))
    return all
  }

  /** Renews what is in use and removes what is over, where the tick of the lease does not. */
  async tick(): Promise<void> {
    const inUse = this.inUse()
    await this.#end(inUse)
    if (!this.#keys.isSpread) return
    for (let i = 0; i < inUse.length; i += 2)
      await this.#expireLists(inUse[i] as string, inUse[i + 1] as number)
  }

  /** Removes the queue now, with its bindings. */
  async remove(queue: string): Promise<void> {
    if (this.#queues.delete(queue)) await this.#end([queue, -1])
  }

  /** The session ends, and what was its own with it. */
  async close(): Promise<void> {
    const own = [...this.#queues].filter(([, { ms }]) => ms === 0).map(([name]) => name)
    if (own.length > 0) await this.#end(own.flatMap((name) => [name, -1]))
  }

  async #end(renewed: readonly (string | number)[]): Promise<void> {
    const { expiring, ownedPrefix, isSpread } = this.#keys
    const args = [ownedPrefix, isSpread ? 0 : 1, ...renewed]
    const gone = (await this.#wire.script('expiry', [expiring], args)) as string[]
    if (isSpread) for (const queue of gone) await this.#removeLists(queue)
  }

  async #register(name: string, ms: number): Promise<void> {
    const consumers = this.#queues.get(name)?.consumers ?? 0
    this.#queues.set(name, { ms, consumers })
    const lists = this.#keys.lists(name).map((list) => `L${list}`)
    await this.#touch(name, true, lists)
  }

  async #touch(queue: string, isLater: boolean, owned: readonly string[] = []): Promise<void> {
    const { ms, consumers } = this.#queues.get(queue)!
    const lives = consumers > 0 || ms === 0 ? Math.max(ms, this.#leaseMs) : ms
    const { expiring, ownedPrefix, isSpread } = this.#keys
    const args = [queue, lives, isLater ? 1 : 0, isSpread ? 0 : 1, ...owned]
    const left = await this.#wire.script('touch', [expiring, ownedPrefix + queue], args)
    if (isSpread) await this.#expireLists(queue, Number(left))
  }

  async #expireLists(queue: string, ms: number): Promise<void> {
    const lists = this.#keys.lists(queue)
    await Promise.all(lists.map((list) => this.#wire.send('PEXPIRE', list, Math.max(1, ms))))
  }

  async #removeLists(queue: string): Promise<void> {
    const [first, ...others] = this.#keys.lists(queue)
    // Declared again meanwhile: its lists have an end of their own.
    if (!(await this.isAlive(queue))) await this.#wire.send('DEL', first!, ...others)
  }
}
