/**
 * Fanout exchanges through Kombu's capped collection: everybody reads all of it as it grows. Python peers
 * read and write it the same way.
 */
import type { MongoDocument, MongoLink } from '../../clients/mongodb.ts'
import type { Broadcast } from '../../virtual/store.ts'
import { fanoutNotice, type Notices } from './notices.ts'
import type { Names } from './schema.ts'
import { Tail } from './tail.ts'

export class MongoBroadcast implements Broadcast {
  readonly #link: MongoLink
  readonly #names: Names
  readonly #notices: Notices
  /** Exchange → who listens. */
  readonly #listeners = new Map<string, Set<(text: string) => void>>()
  readonly #tail: Tail
  #stop: (() => void) | undefined
  /** Ids of the last documents that were seen, for finding the place again. */
  #last: string | undefined
  #reading: Promise<void> | undefined
  #again = false

  constructor(link: MongoLink, names: Names, notices: Notices) {
    this.#link = link
    this.#names = names
    this.#notices = notices
    this.#tail = new Tail(link, names.broadcast, 0)
  }

  async publish(exchange: string, _routingKey: string, text: string): Promise<void> {
    await this.#link.run('publish', () =>
      this.#link.collection(this.#names.broadcast).insertOne({ payload: text, queue: exchange }),
    )
    this.#notices.tell([fanoutNotice])
  }

  async subscribe(
    exchange: string,
    _routingKey: string,
    onText: (text: string) => void,
  ): Promise<() => Promise<void>> {
    // To the end of what is there already; those who listen to something get theirs on the way.
    await this.#look()
    const listeners = this.#listeners.get(exchange) ?? new Set()
    this.#listeners.set(exchange, listeners.add(onText))
    this.#stop ??= this.#notices.onFanout(() => void this.#look().catch(() => undefined))
    return async () => {
      listeners.delete(onText)
      if (listeners.size > 0) return
      this.#listeners.delete(exchange)
      if (this.#listeners.size > 0) return
      this.#stop?.()
      this.#stop = undefined
      this.#last = undefined
      await this.#tail.close()
    }
  }

  /** One look at a time; what is asked for meanwhile is one more. */
  #look(): Promise<void> {
    if (this.#reading) {
      this.#again = true
      return this.#reading
    }
    return (this.#reading = this.#readAll().finally(() => (this.#reading = undefined)))
  }

  async #readAll(): Promise<void> {
    do {
      this.#again = false
      const found = this.#tail.isOpen ? await this.#tail.more() : []
      if (found.length > 0) this.#handOut(found)
      if (!this.#tail.isOpen) await this.#reopen()
      else if (found.length > 0) this.#again = true
    } while (this.#again && !this.#link.isOver)
  }

  /** From the beginning, passing over what was seen; all of it when the collection has gone on since. */
  async #reopen(): Promise<void> {
    const found = await this.#tail.open()
    for (;;) {
      if (!this.#tail.isOpen) break
      const more = await this.#tail.more()
      if (more.length === 0) break
      found.push(...more)
    }
    const place = found.findLastIndex(({ _id: id }) => this.#link.idText(id) === this.#last)
    this.#handOut(found.slice(place + 1))
  }

  #handOut(documents: readonly MongoDocument[]): void {
    for (const { _id: id, queue, payload } of documents) {
      this.#last = this.#link.idText(id)
      const text = this.#link.textOf(payload)
      if (text === undefined) continue
      for (const listener of this.#listeners.get(String(queue)) ?? []) listener(text)
    }
  }
}
