/** Keys and values on Memcached: names it takes, times as it counts them, values as Python's clients write them. */
import { createHash } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import type { MemcachedLink, MemcachedValue } from '@celeriac/messaging/internal'
import { chunksOf } from '../batches.ts'
import type { Servers } from './servers.ts'

/** Longest key. */
const longestKey = 250
/** More seconds than these are taken for a date. */
const longestSpan = 30 * 86_400
/** Commands on their way at once. */
const atOnce = 200
/** How often a value is looked at anew that others change all the time. */
const patience = 100
/** Flag of Python's clients: zlib, which they use when they are told to. */
const compressed = 8
/** A value of a few bytes must not fill the memory. */
const largestBytes = 256 * 1024 * 1024

export class Store {
  readonly #servers: Servers
  readonly #seconds: number
  readonly #now: () => number

  /** `seconds`: how long keys live; 0 for ever. `now`: epoch milliseconds. */
  constructor(servers: Servers, seconds: number, now: () => number) {
    this.#servers = servers
    this.#seconds = seconds
    this.#now = now
  }

  async get(key: string): Promise<Buffer | undefined> {
    const found = await this.#run(key, (link, name) => link.get(name))
    return found && plain(found)
  }

  async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    const found: (Buffer | undefined)[] = []
    for (const chunk of chunksOf(keys, atOnce))
      found.push(...(await Promise.all(chunk.map((key) => this.get(key)))))
    return found
  }

  async set(key: string, value: Buffer): Promise<void> {
    await this.#run(key, (link, name) => link.set(name, value, this.#expiry()))
  }

  /** False when there is one already. */
  async add(key: string, value: Buffer): Promise<boolean> {
    return await this.#run(key, (link, name) => link.add(name, value, this.#expiry()))
  }

  /**
   * Replaces what is there by what `change` makes of it, whatever others do meanwhile; undefined leaves it.
   * Resolves with what is there then.
   */
  async update(
    key: string,
    change: (found: Buffer | undefined) => Buffer | undefined,
  ): Promise<Buffer> {
    return await this.#run(key, async (link, name) => {
      for (let round = 0; round < patience; round++) {
        const found = await link.get(name)
        const before = found && plain(found)
        const after = change(before)
        if (after === undefined && before) return before
        if (after === undefined) throw new Error(`there is nothing under ${name}`)
        const isDone = found
          ? await link.swap(name, after, this.#expiry(), found.version)
          : await link.add(name, after, this.#expiry())
        if (isDone) return after
      }
      throw new Error(`${name} is changed by others all the time`)
    })
  }

  /** The number after; undefined when there is none. Not tried again once it was sent. */
  async increment(key: string): Promise<number | undefined> {
    return await this.#run(key, (link, name) => link.increment(name), { once: true })
  }

  async touch(key: string): Promise<void> {
    await this.#run(key, (link, name) => link.touch(name, this.#expiry()))
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const chunk of chunksOf(keys, atOnce))
      await Promise.all(chunk.map((key) => this.#run(key, (link, name) => link.delete(name))))
  }

  /** Runs `work` for each, a bounded number at once. */
  async each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    for (const chunk of chunksOf(items, atOnce)) await Promise.all(chunk.map(work))
  }

  #run<T>(
    key: string,
    work: (link: MemcachedLink, name: string) => Promise<T>,
    options?: { once?: boolean },
  ): Promise<T> {
    const name = nameOf(key)
    return this.#servers.run(name, (link) => work(link, name), options)
  }

  #expiry(): number {
    return this.#seconds > longestSpan
      ? Math.min(Math.round(this.#now() / 1000 + this.#seconds), 0xffff_ffff)
      : this.#seconds
  }
}

/** A key as it is; one that Memcached or Python's clients refuse gets a name of the same length for all. */
function nameOf(key: string): string {
  if (Buffer.byteLength(key) <= longestKey && !/[\0- \x7f]/.test(key)) return key
  const digest = createHash('sha256').update(key).digest('hex')
  return `${key.slice(0, 100).replaceAll(/[^!-~]/g, '_')}~${digest}`
}

function plain({ data, flags }: MemcachedValue): Buffer {
  return flags & compressed ? inflateSync(data, { maxOutputLength: largestBytes }) : data
}
