/**
 * One pool for each target, for the whole process: whoever asks for the same URLs with the same options
 * shares it. Kombu: `kombu.pools`.
 */
import { ConnectionPool, ProducerPool, type PoolOptions } from './pool.ts'
import type { ConnectionOptions } from './options.ts'

type Make<P, O> = (urls: string | readonly string[], options: O, pool: PoolOptions) => P

export class PoolGroup<
  P extends { readonly isClosed: boolean; close(): Promise<void> },
  O extends object,
> {
  readonly #make: Make<P, O>
  readonly #pools = new Map<string, P>()
  /** Objects have no name; two that are not the same object are not the same target. */
  readonly #names = new WeakMap<object, number>()
  #named = 0
  #limit = 10

  constructor(make: Make<P, O>) {
    this.#make = make
  }

  /** The pool of this target; made at the first call. `options` must be the same values, or objects. */
  get(urls: string | readonly string[], options: O = {} as O): P {
    const key = JSON.stringify([urls, this.#keyOf(options)])
    let pool = this.#pools.get(key)
    if (!pool || pool.isClosed)
      this.#pools.set(key, (pool = this.#make(urls, options, { limit: this.#limit })))
    return pool
  }

  get limit(): number {
    return this.#limit
  }

  /** How many each pool may hold that is made from now on; default 10. */
  setLimit(limit: number): void {
    this.#limit = limit
  }

  /** Closes every pool and forgets it. */
  async reset(): Promise<void> {
    const pools = [...this.#pools.values()]
    this.#pools.clear()
    await Promise.all(pools.map((pool) => pool.close()))
  }

  #keyOf(options: object): [string, unknown][] {
    return Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, isPlain(value) ? value : this.#nameOf(value as object)])
  }

  #nameOf(value: object): number {
    let name = this.#names.get(value)
    if (name === undefined) this.#names.set(value, (name = ++this.#named))
    return name
  }
}

/** True for what JSON writes as it is. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'function') return false
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isPlain)
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isPlain)
}

/** Connections of this process, by target. */
export const connections = new PoolGroup<ConnectionPool, ConnectionOptions>(
  (urls, options, pool) => new ConnectionPool(urls, options, pool),
)

/** Producers of this process, by target. */
export const producers = new PoolGroup<
  ProducerPool,
  NonNullable<ConstructorParameters<typeof ProducerPool>[1]>
>((urls, options, pool) => new ProducerPool(urls, options, pool))
