/**
 * One session over a MessageStore: keeps its lease alive, gives back what is due, buries what is dead, and
 * goes on with what the session before it still held when only the link was lost.
 */
import { asMessagingError, messageOf, MessagingError } from '../kernel/errors.ts'
import type { Ambient } from '../kernel/ambient.ts'
import { TurnBatch } from '../kernel/turn-batch.ts'
import type { Outcome } from '../message/delivery.ts'
import type { Binding } from '../topology/binding.ts'
import { notSupported, type Capabilities } from '../transport/capabilities.ts'
import type { Channel, Publication, PublishFailures } from '../transport/channel.ts'
import type { ConnectOptions, Session } from '../transport/transport.ts'
import { VirtualChannel } from './channel.ts'
import { deadLetter, type CauseOfDeath } from './dead-letters.ts'
import { decodeEnvelope, type Envelope } from './envelope.ts'
import { KnownQueues } from './known-queues.ts'
import { turned, turnsPriorities } from './priorities.ts'
import { publishBatch } from './publishing.ts'
import { parkedFor, type MessageStore, type Settlement, type Taken } from './store.ts'

const nothing = Promise.resolve()

export class VirtualSession implements Session {
  readonly name: string
  readonly capabilities: Capabilities
  readonly store: MessageStore
  readonly ambient: Ambient
  readonly closed: Promise<MessagingError | undefined>
  readonly queues: KnownQueues
  /** Queues bound to broadcast exchanges: queue → its bindings. Written by bind, read by consume. */
  readonly broadcastBindings = new Map<string, Binding[]>()
  /** A consumer's queue and tags, for counting consumers and exclusive use. */
  readonly consumers = new Map<string, Set<string>>()
  /** Those of them whose one consumer wants no other. */
  readonly exclusive = new Set<string>()
  /** Settlements of all channels leave together. */
  readonly #settlements: TurnBatch<Settlement, void>
  readonly #channels = new Set<VirtualChannel>()
  readonly #turnsPriorities: boolean
  /** Handed out on channels of a link that is gone, and not settled yet. Moves on to the successor. */
  #orphans = new Set<Taken>()
  /** What was settled while there was no link. */
  #late: { readonly taken: Taken; readonly outcome: Outcome }[] = []
  #successor: VirtualSession | undefined
  #isLost = false
  #closing: Promise<void> | undefined
  #cancelTick: () => void = () => undefined
  /** A tick is under way; its end sets the timer. */
  #ticking = false
  #tickAtMs = Infinity
  /** When the next message delayed or expiring here is due, by the wall clock. */
  #expectedMs = Infinity
  #resolveClosed!: (reason: MessagingError | undefined) => void

  constructor(
    name: string,
    capabilities: Capabilities,
    store: MessageStore,
    { ambient, target }: ConnectOptions,
  ) {
    this.name = name
    this.capabilities = capabilities
    this.store = store
    this.ambient = ambient
    this.queues = new KnownQueues(store, ambient.clock)
    this.#turnsPriorities = turnsPriorities(capabilities, target)
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#settlements = new TurnBatch((batch) => store.settle(batch))
    void store.closed.then((reason) => this.lost(reason))
    this.#tickIn(0)
  }

  get server(): string {
    return this.store.server
  }

  openChannel(): Promise<Channel> {
    if (this.#closing) {
      return Promise.reject(
        new MessagingError('MESSAGING_CONNECTION_CLOSED', 'connection', 'this session is closed'),
      )
    }
    const channel = new VirtualChannel(this)
    this.#channels.add(channel)
    void channel.closed.then((reason) => {
      this.#channels.delete(channel)
      if (reason?.fault === 'connection') this.lost(reason)
    })
    return Promise.resolve(channel)
  }

  publish(batch: readonly Publication[]): Promise<PublishFailures> {
    if (!this.#turnsPriorities) return publishBatch(this, batch)
    return publishBatch(
      this,
      batch.map((one) => ({ ...one, message: turned(one.message) })),
    )
  }

  /** What a stored text says; throws a plain Error when it is no message. */
  read(text: string): Envelope {
    const envelope = decodeEnvelope(text)
    return this.#turnsPriorities ? { ...envelope, message: turned(envelope.message) } : envelope
  }

  /** Says what becomes of a message that is out of every window already. */
  settle(taken: Taken, outcome: Outcome): Promise<void> {
    if (typeof outcome === 'object') {
      if (!this.capabilities.delay)
        return Promise.reject(notSupported(this.name, 'hold a message until a time'))
      this.expectDue(outcome.delayUntilMs)
      return this.#settled(taken, outcome, this.#settlements.add({ taken, outcome }).done)
    }
    if (outcome === 'drop' && this.capabilities.deadLetters) return this.bury(taken, 'rejected')
    const { done } = this.#settlements.add({
      taken,
      outcome: outcome === 'ack' || outcome === 'drop' ? 'remove' : outcome,
    })
    return this.#settled(taken, outcome, done)
  }

  /** The link broke under it: whether the store heard of it nobody knows, so the next link tells it again. */
  #settled(taken: Taken, outcome: Outcome, done: Promise<void>): Promise<void> {
    if (this.store.identity === undefined) return done
    return done.catch((error: unknown) => {
      const isLost = MessagingError.is(error) && error.fault === 'connection'
      if (!isLost || (this.#closing && !this.#isLost)) throw error
      this.lost(error)
      this.#orphans.add(taken)
      if (!this.#successor) this.#late.push({ taken, outcome })
      else return this.settleOrphan(taken, outcome)
    })
  }

  /** Settles what was handed out on a link that is gone: at once when there is a new one, else with it. */
  settleOrphan(taken: Taken, outcome: Outcome): Promise<void> {
    // oxlint-disable-next-line typescript/no-this-alias -- the end of a chain that begins here
    let owner: VirtualSession = this
    while (owner.#successor) owner = owner.#successor
    if (!owner.#orphans.delete(taken)) return nothing
    if (!owner.#isLost) return owner.settle(taken, outcome)
    owner.#late.push({ taken, outcome })
    return nothing
  }

  /** To the dead-letter exchange of its queue, where it has one; gone from the queue in any case. */
  async bury(taken: Taken, cause: CauseOfDeath): Promise<void> {
    if (this.capabilities.deadLetters) {
      const giveBack = async (error: unknown): Promise<never> => {
        // Not buried, and out of every window: in its queue somebody finds it.
        await this.settle(taken, 'restore').catch(() => undefined)
        throw error
      }
      const queue = await this.queues.get(taken.queue)
      let envelope: Envelope
      try {
        envelope = this.read(taken.text)
      } catch (error) {
        return await this.park(taken, error)
      }
      const letter = deadLetter(envelope, taken.queue, queue, cause, this.ambient.clock)
      const failures = letter && (await this.publish([letter]).catch(giveBack))
      for (const error of failures?.values() ?? [])
        this.ambient.log.warn('a dead letter was refused and is gone', {
          queue: taken.queue,
          exchange: letter!.exchange,
          reason: messageOf(error),
        })
    }
    await this.#settlements.add({ taken, outcome: 'remove' }).done
  }

  /** A text that is no message must neither stop the queue nor vanish. */
  async park(taken: Taken, error: unknown): Promise<void> {
    const parkedIn = parkedFor(taken.queue)
    this.ambient.log.warn('a message that cannot be read was parked', {
      queue: taken.queue,
      parkedIn,
      reason: messageOf(error),
    })
    const failures = await this.store.push([{ queue: parkedIn, text: taken.text, priority: 0 }])
    if (failures?.size) throw failures.get(0)!
    await this.settle(taken, 'ack')
  }

  /** A message was delayed, or will expire: the session looks in time. */
  readonly expectDue = (atMs: number): void => {
    // Remembered, because a tick may be under way that looks before this message is stored.
    this.#expectedMs = Math.min(this.#expectedMs, atMs)
    // A little after the hour rather than a little before it: a look too early finds nothing.
    this.#tickIn(Math.max(0, atMs - this.ambient.clock.now() + 1))
  }

  /** Goes on with the session before it, when the store still knows that one; rejects as the store does. */
  async follow(previous: VirtualSession): Promise<void> {
    const { identity } = this.store
    if (identity === undefined || identity !== previous.store.identity) {
      previous.#orphans.clear()
      previous.#late = []
      return
    }
    const late = previous.#late
    this.#orphans = previous.#orphans
    previous.#successor = this
    previous.#late = []
    try {
      await Promise.all(late.map(({ taken, outcome }) => this.settle(taken, outcome)))
      const receipts = new Set([...this.#orphans].map((taken) => taken.receipt))
      await this.store.giveBackBut?.(receipts)
    } catch (error) {
      // The next one begins with the same: settling twice does nothing.
      previous.#successor = undefined
      previous.#late = late
      throw error
    }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#cancelTick()
    await Promise.allSettled([...this.#channels].map((channel) => channel.close()))
    this.#settlements.flushNow()
    try {
      await this.store.close()
    } finally {
      this.#resolveClosed(undefined)
    }
  }

  /** The link is gone: what its channels handed out is to be settled through the session that follows. */
  lost(reason: MessagingError | undefined): void {
    if (this.#closing) return
    const error =
      reason ?? new MessagingError('MESSAGING_CONNECTION_LOST', 'connection', 'the link is gone')
    this.#cancelTick()
    this.#isLost = true
    this.#closing = this.store.close({ keep: true }).catch(() => undefined)
    for (const channel of this.#channels) {
      for (const taken of channel.held) this.#orphans.add(taken)
      channel.fail(error)
    }
    this.#resolveClosed(error)
  }

  /** One timer: the nearest of the next lease renewal and the next message that is due. */
  #tickIn(ms: number): void {
    const atMs = this.ambient.clock.monotonic() + Math.min(ms, this.store.tickMs)
    if (atMs >= this.#tickAtMs || this.#closing || this.#ticking) return
    this.#cancelTick()
    this.#tickAtMs = atMs
    this.#cancelTick = this.ambient.clock.after(
      Math.min(ms, this.store.tickMs),
      () => void this.#tick(),
      { background: true },
    )
  }

  async #tick(): Promise<void> {
    this.#tickAtMs = Infinity
    this.#ticking = true
    // What becomes due from now on may be too late for this look.
    if (this.#expectedMs <= this.ambient.clock.now()) this.#expectedMs = Infinity
    try {
      const { nextDueMs, expired = [] } = await this.store.tick()
      await Promise.all(expired.map((taken) => this.#bury(taken)))
      this.#ticking = false
      const expectedInMs = this.#expectedMs - this.ambient.clock.now()
      this.#tickIn(Math.min(nextDueMs ?? Infinity, Math.max(0, expectedInMs) + 1))
    } catch (error) {
      this.lost(asMessagingError(error, 'MESSAGING_STORE_FAILED', 'connection', 'lease'))
    }
  }

  /** Found dead by the store, which says why: its hour is over, or its queue too long. */
  #bury(taken: Taken): Promise<void> {
    return this.bury(taken, taken.crowdedOut ? 'maxlen' : 'expired')
  }
}
