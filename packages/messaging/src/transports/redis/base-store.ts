/**
 * What a session does alike on one server and on a cluster: topology, pushing, fair or ordered claims, and
 * keys that turn out to be no lists.
 */
import { MessagingError } from '../../kernel/errors.ts'
import type { Binding } from '../../topology/binding.ts'
import type { Exchange } from '../../topology/exchange.ts'
import type { Queue } from '../../topology/queue.ts'
import type { PublishFailures } from '../../transport/channel.ts'
import type {
  Broadcast,
  MessageStore,
  Push,
  Settlement,
  StoreContext,
  Taken,
  TickResult,
} from '../../virtual/store.ts'
import { Expiry } from './expiry.ts'
import type { RedisKeys } from './keys.ts'
import type { RedisTransportOptions } from './options.ts'
import { chunkSize, Partition, type Claimed } from './partition.ts'
import { RedisTopology } from './topology.ts'
import type { Wire } from './wire.ts'

/** Longest wait for the replicas that must have a message. */
const replicasMs = 2000

/** Messages of one batch that go into one list, and their places in it. */
interface ListBatch {
  readonly texts: string[]
  readonly places: number[]
}

export abstract class BaseStore implements MessageStore {
  abstract readonly server: string
  abstract readonly identity: string
  abstract readonly closed: Promise<MessagingError | undefined>
  abstract readonly broadcast: Broadcast
  readonly tickMs: number
  protected readonly wire: Wire
  protected readonly keys: RedisKeys
  protected readonly options: RedisTransportOptions
  protected readonly context: StoreContext
  protected readonly expiry: Expiry
  protected readonly topology: RedisTopology
  /** Queues of which a key is no list; forgotten with each tick, since somebody may mend them. */
  readonly #broken = new Set<string>()
  readonly #complainedOf = new Set<string>()
  /** Queue → its place among those consumed here, for the order of service. */
  readonly #places = new Map<string, number>()
  /** Queues consumed by this session, and by how many. */
  readonly #joined = new Map<string, number>()
  #refreshedAtMs: number
  #closing: Promise<void> | undefined

  protected constructor(
    wire: Wire,
    keys: RedisKeys,
    options: RedisTransportOptions,
    context: StoreContext,
  ) {
    this.wire = wire
    this.keys = keys
    this.options = options
    this.context = context
    // Scores are refreshed with the lease; a sweeper must never see one older than the timeout.
    this.tickMs = Math.min(5000, options.visibilitySeconds * 250)
    this.#refreshedAtMs = context.ambient.clock.monotonic()
    this.expiry = new Expiry(wire, keys, this.tickMs * 3)
    const isTolerant = context.resumes !== undefined
    this.topology = new RedisTopology(wire, keys, this.expiry, isTolerant)
  }

  declareQueue(queue: Queue): Promise<void> {
    return this.topology.declareQueue(queue)
  }

  hasQueue(name: string): Promise<boolean> {
    return this.topology.hasQueue(name)
  }

  removeQueue(name: string): Promise<number> {
    return this.topology.removeQueue(name)
  }

  count(queue: string): Promise<number> {
    return this.topology.count(queue)
  }

  purge(queue: string): Promise<number> {
    return this.topology.purge(queue)
  }

  async declareExchange(exchange: Exchange): Promise<void> {
    this.topology.declareExchange(exchange)
  }

  findExchange(name: string): Promise<Exchange | undefined> {
    return this.topology.findExchange(name)
  }

  removeExchange(name: string): Promise<void> {
    return this.topology.removeExchange(name)
  }

  bind(binding: Binding, exchange: Exchange | undefined): Promise<void> {
    return this.topology.bind(binding, exchange)
  }

  unbind(binding: Binding, exchange: Exchange | undefined): Promise<void> {
    return this.topology.unbind(binding, exchange)
  }

  readBindings(exchange: string): Promise<readonly Binding[]> {
    return this.topology.readBindings(exchange)
  }

  async join(queue: string): Promise<void> {
    if (!this.#places.has(queue)) this.#places.set(queue, this.#places.size)
    this.#joined.set(queue, (this.#joined.get(queue) ?? 0) + 1)
    await this.expiry.join(queue)
  }

  async leave(queue: string): Promise<void> {
    const left = (this.#joined.get(queue) ?? 0) - 1
    if (left > 0) this.#joined.set(queue, left)
    else this.#joined.delete(queue)
    await this.expiry.leave(queue)
  }

  async push(batch: readonly Push[]): Promise<PublishFailures | void> {
    const lists = new Map<string, ListBatch>()
    const ending = new Set<string>()
    for (const [place, { queue, text, priority }] of batch.entries()) {
      const key = this.keys.list(queue, this.keys.step(priority))
      const list = lists.get(key)
      if (list) {
        list.texts.push(text)
        list.places.push(place)
      } else lists.set(key, { texts: [text], places: [place] })
      if (!this.expiry.isEmpty && this.expiry.has(queue)) ending.add(queue)
    }
    this.wire.hold()
    const failures = new Map<number, MessagingError>()
    const pushed: Promise<void>[] = []
    for (const [key, { texts, places }] of lists) {
      for (let i = 0; i < texts.length; i += chunkSize)
        pushed.push(
          this.#pushChunk(key, texts.slice(i, i + chunkSize)).catch((error: unknown) => {
            // A key of another type, a full server, missing replicas: of these alone.
            if (!MessagingError.is(error) || error.code !== 'MESSAGING_PUBLISH_REFUSED') throw error
            for (const place of places.slice(i, i + chunkSize)) failures.set(place, error)
          }),
        )
    }
    for (const queue of ending) pushed.push(this.expiry.pushed(queue))
    await Promise.all(pushed)
    return failures.size > 0 ? failures : undefined
  }

  async take(queues: readonly string[], max: number): Promise<Taken[]> {
    const sound = this.sound(queues)
    if (sound.length === 0) return this.#nothing(queues)
    if (!this.expiry.isEmpty) for (const queue of sound) await this.expiry.read(queue)
    const isFair = this.options.order === 'round_robin'
    const { taken, parked, broken } = await this.claim(
      isFair ? sound : this.#ordered(sound),
      max,
      isFair,
    )
    for (const queue of broken) this.#complain(queue)
    for (let i = 0; i < parked; i++)
      this.context.events.onParked(queues.join(', '), 'no message envelope with a delivery tag')
    if (taken.length > 0) return taken
    if (broken.length > 0 && broken.length === sound.length) return this.#nothing(queues)
    // A claim that only met garbage is not the end of the queue.
    return parked > 0 ? await this.take(queues, max) : taken
  }

  close({ keep = false }: { keep?: boolean } = {}): Promise<void> {
    return (this.#closing ??= this.#close(keep))
  }

  abstract wait(queues: readonly string[], signal: AbortSignal): Promise<void>
  abstract settle(batch: readonly Settlement[]): Promise<void>
  abstract giveBackBut(receipts: ReadonlySet<string>): Promise<void>
  abstract tick(): Promise<TickResult>

  protected get isClosing(): boolean {
    return this.#closing !== undefined
  }

  protected abstract claim(
    queues: readonly string[],
    max: number,
    isFair: boolean,
  ): Promise<Claimed>
  /** Ends every lease of this session. */
  protected abstract leaveAll(): Promise<void>
  protected abstract hangUp(): void

  /** `quick`: for what had better come again than wait; `session`: the name of a fresh lease. */
  protected partition(queue: string, quick = this.wire, session = this.context.session): Partition {
    return new Partition(
      {
        wire: this.wire,
        quick,
        keys: this.keys,
        options: this.options,
        session,
        unique: this.context.session,
        leaseMs: this.tickMs * 3,
        route: this.topology.route,
      },
      this.keys.partition(queue),
    )
  }

  protected isJoined(queue: string): boolean {
    return this.#joined.has(queue)
  }

  /** Those whose keys are lists, as far as is known. */
  protected sound(queues: readonly string[]): readonly string[] {
    return this.#broken.size === 0 ? queues : queues.filter((queue) => !this.#broken.has(queue))
  }

  /** Broken queues get another look; true when there are any. */
  protected lookAgain(): boolean {
    const any = this.#broken.size > 0
    this.#broken.clear()
    return any
  }

  /** Whether the scores of what is held should be renewed with this tick. */
  protected isRefreshDue(): boolean {
    const now = this.context.ambient.clock.monotonic()
    const isDue = now - this.#refreshedAtMs > this.options.visibilitySeconds * 250 - 1
    if (isDue) this.#refreshedAtMs = now
    return isDue
  }

  async #pushChunk(key: string, texts: readonly string[]): Promise<void> {
    const { waitReplicas } = this.options
    const pushing = this.wire.send('LPUSH', key, ...texts)
    if (waitReplicas === 0) return void (await pushing)
    const [, count] = await Promise.all([pushing, this.replicated(key, waitReplicas, replicasMs)])
    if (count >= waitReplicas) return
    // Not of the message: a master that lost its replicas is about to be replaced, so it is sent again.
    throw new MessagingError(
      'MESSAGING_PUBLISH_REFUSED',
      'connection',
      `only ${count} of ${waitReplicas} replicas have the message`,
    )
  }

  /** How many replicas have what was written on the way to this key. */
  protected abstract replicated(key: string, count: number, ms: number): Promise<number>

  /** As listed when they were joined, or by name: the claim serves them in this order. */
  #ordered(queues: readonly string[]): readonly string[] {
    if (this.options.order === 'sorted') return queues.toSorted()
    const place = (queue: string): number => this.#places.get(queue) ?? Infinity
    return queues.toSorted((a, b) => place(a) - place(b))
  }

  /** None of them is a list. A consumer waits for that to be mended; who asked once is told. */
  #nothing(queues: readonly string[]): Taken[] {
    if (queues.some((queue) => this.#joined.has(queue))) return []
    throw notLists(queues)
  }

  #complain(queue: string): void {
    this.#broken.add(queue)
    if (this.#complainedOf.has(queue)) return
    this.#complainedOf.add(queue)
    this.context.ambient.log.error('a queue cannot be consumed: its key is no list', { queue })
  }

  async #close(keep: boolean): Promise<void> {
    try {
      if (!keep) await Promise.all([this.expiry.close(), this.leaveAll()])
    } catch {
      // The link broke under the farewell: the lease ends by itself.
    } finally {
      this.hangUp()
    }
  }
}

function notLists(queues: readonly string[]): MessagingError {
  return new MessagingError(
    'MESSAGING_PUBLISH_REFUSED',
    'message',
    `${queues.map((queue) => `'${queue}'`).join(', ')} cannot be consumed: WRONGTYPE; the key is used for something else`,
  )
}
