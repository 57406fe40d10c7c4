/**
 * What one in-process broker holds, shared by every session of its name. The nearest thing to RabbitMQ in
 * this package: messages and queues expire, queues have a length, go with their last consumer or owner.
 */
import type { Binding, ExchangeBinding } from '../../topology/binding.ts'
import type { Exchange } from '../../topology/exchange.ts'
import type { Queue } from '../../topology/queue.ts'
import { bodyBytes } from '../../virtual/envelope.ts'

export interface Held {
  readonly receipt: string
  readonly queue: string
  readonly text: string
  readonly priority: number
  readonly expiresAtMs: number | undefined
  /** Deliveries so far; written at each take. */
  attempts: number
}

interface MemoryQueue {
  declared: Queue | undefined
  /** Session of an exclusive queue. */
  owner: string | undefined
  /** Sorted by priority, highest first, then by age. */
  readonly waiting: Held[]
  consumers: number
  /** By the wall clock: declared, fetched from or consumed for the last time. */
  usedAtMs: number
}

/** A message nobody may get any more, for whoever ticks next. */
export interface Dead {
  readonly held: Held
  readonly crowdedOut: boolean
}

/** Things with an hour, earliest first. */
class Agenda<T> {
  readonly #entries: { readonly dueMs: number; readonly item: T }[] = []

  add(item: T, dueMs: number): void {
    let at = this.#entries.length
    while (at > 0 && this.#entries[at - 1]!.dueMs > dueMs) at--
    this.#entries.splice(at, 0, { dueMs, item })
  }

  /** Those whose hour has come, which are on it no more. */
  due(nowMs: number): T[] {
    let count = 0
    while (count < this.#entries.length && this.#entries[count]!.dueMs <= nowMs) count++
    return this.#entries.splice(0, count).map(({ item }) => item)
  }

  get nextMs(): number {
    return this.#entries[0]?.dueMs ?? Infinity
  }
}

export class MemoryBroker {
  readonly exchanges = new Map<string, Exchange>()
  readonly bindings = new Map<string, Binding[]>()
  readonly onwards = new Map<string, ExchangeBinding[]>()
  readonly #queues = new Map<string, MemoryQueue>()
  readonly #delayed = new Agenda<Held>()
  readonly #expiring = new Agenda<Held>()
  #dead: Dead[] = []
  readonly #listeners = new Set<(queue: string) => void>()
  #sequence = 0

  nextReceipt(): string {
    return String(++this.#sequence)
  }

  find(name: string): Readonly<MemoryQueue> | undefined {
    return this.#queues.get(name)
  }

  declare(queue: Queue, owner: string | undefined, nowMs: number): void {
    const known = this.#queue(queue.name)
    known.declared = queue
    known.owner = owner
    known.usedAtMs = nowMs
  }

  /** Rear: behind messages of its priority; front: before them. False when the queue takes no more. */
  put(held: Held, front: boolean): boolean {
    const { waiting, declared } = this.#queue(held.queue)
    if (declared && !this.#makeRoom(declared, waiting, held)) return false
    // Nearly always the place is the end.
    let at = waiting.length
    while (
      at > 0 &&
      (front
        ? waiting[at - 1]!.priority <= held.priority
        : waiting[at - 1]!.priority < held.priority)
    )
      at--
    waiting.splice(at, 0, held)
    if (held.expiresAtMs !== undefined) this.#expiring.add(held, held.expiresAtMs)
    for (const listener of this.#listeners) listener(held.queue)
    return true
  }

  take(name: string, max: number, nowMs: number): Held[] {
    const queue = this.#queues.get(name)
    if (!queue) return []
    queue.usedAtMs = nowMs
    const taken = queue.waiting.splice(0, max)
    this.#forgetUnused(name, queue)
    return taken
  }

  /** Highest priority waiting, undefined when the queue is empty. */
  urgency(queue: string): number | undefined {
    return this.#queues.get(queue)?.waiting[0]?.priority
  }

  count(queue: string): number {
    return this.#queues.get(queue)?.waiting.length ?? 0
  }

  purge(name: string): number {
    const queue = this.#queues.get(name)
    const count = queue?.waiting.splice(0).length ?? 0
    if (queue) this.#forgetUnused(name, queue)
    return count
  }

  /** The queue, its messages and its bindings. */
  remove(name: string): number {
    const count = this.count(name)
    this.#queues.delete(name)
    for (const exchange of this.bindings.keys())
      this.unbind(exchange, (binding) => binding.queue === name)
    return count
  }

  unbind(exchange: string, gone: (binding: Binding) => boolean): void {
    const bindings = this.bindings.get(exchange) ?? []
    const left = bindings.filter((binding) => !gone(binding))
    this.bindings.set(exchange, left)
    this.#removeUnbound(exchange, bindings.length - left.length)
  }

  unbindExchange(exchange: string, gone: (binding: ExchangeBinding) => boolean): void {
    const onwards = this.onwards.get(exchange) ?? []
    const left = onwards.filter((binding) => !gone(binding))
    this.onwards.set(exchange, left)
    this.#removeUnbound(exchange, onwards.length - left.length)
  }

  removeExchange(name: string): void {
    this.exchanges.delete(name)
    this.bindings.delete(name)
    this.onwards.delete(name)
    for (const exchange of this.onwards.keys())
      this.unbindExchange(exchange, (binding) => binding.to === name)
  }

  join(name: string, nowMs: number): void {
    const queue = this.#queue(name)
    queue.consumers++
    queue.usedAtMs = nowMs
  }

  leave(name: string, nowMs: number): void {
    const queue = this.#queues.get(name)
    if (!queue || queue.consumers === 0) return
    queue.consumers--
    queue.usedAtMs = nowMs
    if (queue.consumers === 0 && queue.declared?.autoDelete) this.remove(name)
  }

  /** Exclusive queues go with the session they belong to. */
  removeOwned(session: string): void {
    for (const [name, { owner }] of this.#queues) if (owner === session) this.remove(name)
  }

  delay(held: Held, dueMs: number): void {
    this.#delayed.add(held, dueMs)
  }

  /** Puts back what is due, removes what is over; answers what happened and when to look again. */
  release(nowMs: number): { restored: number; dead: Dead[]; nextDueMs: number | undefined } {
    const due = this.#delayed.due(nowMs)
    for (const held of due) this.put(held, true)
    for (const held of this.#expiring.due(nowMs)) this.#expire(held)
    const dead = this.#dead
    this.#dead = []
    const next = Math.min(this.#delayed.nextMs, this.#expiring.nextMs, this.#expireQueues(nowMs))
    return { restored: due.length, dead, nextDueMs: next === Infinity ? undefined : next - nowMs }
  }

  listen(listener: (queue: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get hasDead(): boolean {
    return this.#dead.length > 0
  }

  #queue(name: string): MemoryQueue {
    let queue = this.#queues.get(name)
    if (!queue) {
      queue = { declared: undefined, owner: undefined, waiting: [], consumers: 0, usedAtMs: 0 }
      this.#queues.set(name, queue)
    }
    return queue
  }

  /** A queue that nobody declared is its messages; it goes with the last. */
  #forgetUnused(name: string, { declared, waiting, consumers }: MemoryQueue): void {
    if (!declared && waiting.length === 0 && consumers === 0) this.#queues.delete(name)
  }

  #removeUnbound(exchange: string, removed: number): void {
    const left =
      (this.bindings.get(exchange) ?? []).length + (this.onwards.get(exchange) ?? []).length
    if (removed > 0 && left === 0 && this.exchanges.get(exchange)?.autoDelete)
      this.removeExchange(exchange)
  }

  #makeRoom({ arguments: args }: Queue, waiting: Held[], coming: Held): boolean {
    const most = numberOf(args['x-max-length'])
    const mostBytes = numberOf(args['x-max-length-bytes'])
    if (most === Infinity && mostBytes === Infinity) return true
    let bytes = bodyBytes(coming.text)
    if (mostBytes !== Infinity) for (const { text } of waiting) bytes += bodyBytes(text)
    const isFull = (): boolean => waiting.length + 1 > most || bytes > mostBytes
    if (args['x-overflow'] === 'reject-publish' && isFull()) return false
    while (waiting.length > 0 && isFull()) {
      const lowest = waiting.at(-1)!.priority
      const [held] = waiting.splice(
        waiting.findIndex(({ priority }) => priority === lowest),
        1,
      )
      bytes -= bodyBytes(held!.text)
      this.#dead.push({ held: held!, crowdedOut: true })
    }
    return true
  }

  #expire(held: Held): void {
    const waiting = this.#queues.get(held.queue)?.waiting ?? []
    const at = waiting.indexOf(held)
    // Handed out, or gone: whoever has it decides.
    if (at < 0) return
    waiting.splice(at, 1)
    this.#dead.push({ held, crowdedOut: false })
  }

  /** The wall clock of the next queue to go. */
  #expireQueues(nowMs: number): number {
    let next = Infinity
    for (const [name, { declared, consumers, usedAtMs }] of this.#queues) {
      const livesMs = numberOf(declared?.arguments['x-expires'])
      if (livesMs === Infinity || consumers > 0) continue
      if (usedAtMs + livesMs <= nowMs) this.remove(name)
      else next = Math.min(next, usedAtMs + livesMs)
    }
    return next
  }
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : Infinity
}
