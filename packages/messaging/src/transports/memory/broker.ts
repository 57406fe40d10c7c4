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
  /** In its queue, and nobody has it. */
  waits?: boolean
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

/** Entries of an agenda from which on it looks for those that nobody wants any more. */
const leastSwept = 1000

/** Things with an hour, earliest first. */
class Agenda<T> {
  #entries: { readonly dueMs: number; readonly item: T }[] = []
  #sweepAt = leastSwept
  readonly #isWanted: (item: T) => boolean

  /** What is not wanted any more is forgotten before its hour, now and then. */
  constructor(isWanted: (item: T) => boolean = () => true) {
    this.#isWanted = isWanted
  }

  add(item: T, dueMs: number): void {
    if (this.#entries.length >= this.#sweepAt) {
      this.remove((one) => !this.#isWanted(one))
      this.#sweepAt = Math.max(leastSwept, 2 * this.#entries.length)
    }
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

  remove(isGone: (item: T) => boolean): void {
    this.#entries = this.#entries.filter(({ item }) => !isGone(item))
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
  readonly #expiring = new Agenda<Held>(({ waits }) => waits === true)
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

  /** A new message, behind those of its priority. False when the queue takes no more. */
  put(held: Held): boolean {
    if (this.#isFull(held)) return false
    this.giveBack(held, false)
    return true
  }

  /** Rear: behind messages of its priority; front: before them. What a queue once took it takes back. */
  giveBack(held: Held, front: boolean): void {
    const { waiting, declared } = this.#queue(held.queue)
    if (declared) this.#makeRoom(declared, waiting, held)
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
    held.waits = true
    if (held.expiresAtMs !== undefined) this.#expiring.add(held, held.expiresAtMs)
    for (const listener of this.#listeners) listener(held.queue)
  }

  take(name: string, max: number, nowMs: number): Held[] {
    const queue = this.#queues.get(name)
    if (!queue) return []
    queue.usedAtMs = nowMs
    const taken = queue.waiting.splice(0, max)
    for (const held of taken) held.waits = false
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
    if (!queue) return 0
    const gone = queue.waiting.splice(0)
    for (const held of gone) held.waits = false
    this.#forgetUnused(name, queue)
    return gone.length
  }

  /** The queue, its messages, those that wait for their hour as well, and its bindings. */
  remove(name: string): number {
    const count = this.purge(name)
    this.#delayed.remove((held) => held.queue === name)
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
    for (const held of due) this.giveBack(held, true)
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

  /** True when the queue refuses a new message rather than dropping an old one. */
  #isFull(coming: Held): boolean {
    const { declared, waiting } = this.#queues.get(coming.queue) ?? {}
    const args = declared?.arguments
    if (!waiting || args?.['x-overflow'] !== 'reject-publish') return false
    return (
      waiting.length + 1 > numberOf(args['x-max-length']) ||
      bytesOf([...waiting, coming]) > numberOf(args['x-max-length-bytes'])
    )
  }

  #makeRoom({ arguments: args }: Queue, waiting: Held[], coming: Held): void {
    const most = numberOf(args['x-max-length'])
    const mostBytes = numberOf(args['x-max-length-bytes'])
    if (most === Infinity && mostBytes === Infinity) return
    if (args['x-overflow'] === 'reject-publish') return
    let bytes = mostBytes === Infinity ? 0 : bytesOf([...waiting, coming])
    while (waiting.length > 0 && (waiting.length + 1 > most || bytes > mostBytes)) {
      const lowest = waiting.at(-1)!.priority
      const [held] = waiting.splice(
        waiting.findIndex(({ priority }) => priority === lowest),
        1,
      )
      held!.waits = false
      bytes -= bodyBytes(held!.text)
      this.#dead.push({ held: held!, crowdedOut: true })
    }
  }

  #expire(held: Held): void {
    const waiting = this.#queues.get(held.queue)?.waiting ?? []
    const at = waiting.indexOf(held)
    // Handed out, or gone: whoever has it decides.
    if (at < 0) return
    waiting.splice(at, 1)
    held.waits = false
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

function bytesOf(messages: readonly Held[]): number {
  return messages.reduce((sum, { text }) => sum + bodyBytes(text), 0)
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : Infinity
}
