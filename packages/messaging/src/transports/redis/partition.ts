/**
 * Claims, settlements and the lease of one session over queues that share their keys: all queues of a
 * server, or one queue of a cluster. The atomic acts are scripts; see there what each guards against.
 */
import { MessagingError } from '../../kernel/errors.ts'
import { markRedelivered } from '../../virtual/envelope.ts'
import type { Settlement, Taken } from '../../virtual/store.ts'
import type { PartitionKeys, RedisKeys } from './keys.ts'
import type { RedisTransportOptions } from './options.ts'
import { restoration, type Restoration } from './restoration.ts'
import type { Wire } from './wire.ts'

/** Most values of one command: Lua's unpack and the server's patience have limits. */
export const chunkSize = 1000

export interface PartitionContext {
  readonly wire: Wire
  /** For claims and leases, which had better come again than wait; mostly the same. */
  readonly quick: Wire
  readonly keys: RedisKeys
  readonly options: RedisTransportOptions
  /** Name of a fresh lease. */
  readonly session: string
  /** Unique to this link: told from what an older one of the same session still has under way. */
  readonly unique: string
  readonly leaseMs: number
  /** Queues to which a message of an exchange goes back: entries of Python may name one. */
  route(back: Restoration): Promise<string[]>
}

export interface Claimed {
  readonly taken: Taken[]
  /** Texts put aside, being no messages. */
  readonly parked: number
  /** Queues of which a key is no list. */
  readonly broken: string[]
}

export interface PartitionTick {
  readonly restored: number
  /** Messages found to be given back; as many as the limit means there may be more. */
  readonly found: number
  readonly nextDueMs: number | undefined
}

/** What a tick does besides; see scripts. */
export interface TickExtras {
  /** Channel of the pulse, or ''. */
  readonly channel: string
  /** Queues in use that end when they are not, as name and ms; left out where their ends lie elsewhere. */
  readonly inUse?: readonly (string | number)[]
}

export class Partition {
  readonly #context: PartitionContext
  readonly #at: PartitionKeys
  /** The name under which this session holds messages here. */
  #lease: string

  constructor(context: PartitionContext, at: PartitionKeys) {
    this.#context = context
    this.#at = at
    this.#lease = context.session
  }

  /** Begins the lease; true when it goes on with that of a session whose link broke. */
  async enter(identity: string | undefined): Promise<boolean> {
    const { session, unique, leaseMs, quick } = this.#context
    const resumed = `${identity ?? ''}~${unique}`
    const args = [session, resumed, identity ?? '', leaseMs, this.#at.heldPrefix]
    const goesOn = (await quick.script('enter', [this.#at.sessions], args)) === 1
    this.#lease = goesOn ? resumed : session
    return goesOn
  }

  /** At most `max` messages, urgent ones first; `isFair`: from each queue alike, else the first named first. */
  async claim(queues: readonly string[], max: number, isFair: boolean): Promise<Claimed> {
    const { keys, quick } = this.#context
    const { sessions, unacked, unackedIndex, parked, unreadable } = this.#at
    const all = [sessions, unacked, unackedIndex, this.#held, parked, unreadable]
    for (const step of keys.steps) for (const queue of queues) all.push(keys.list(queue, step))
    const args = [this.#lease, Math.min(max, chunkSize), queues.length, isFair ? 1 : 0, ...queues]
    quick.hold()
    const out = await quick.script('claim', all, args)
    if (!Array.isArray(out)) throw leaseLost()
    const taken: Taken[] = []
    for (let i = 2; i < out.length; i += 3) {
      const queue = queues[(out[i + 1] as number) - 1]!
      taken.push({ receipt: out[i] as string, queue, text: out[i + 2] as string })
    }
    const broken = (out[1] as number[]).map((number) => queues[number - 1]!)
    return { taken, parked: out[0] as number, broken }
  }

  async settle(batch: readonly Settlement[]): Promise<void> {
    const { wire, options } = this.#context
    const removed: string[] = []
    const delayed: (string | number)[] = []
    const back: string[] = []
    for (const { taken, outcome } of batch) {
      if (outcome === 'remove') removed.push(taken.receipt)
      else if (typeof outcome === 'object') {
        const score = outcome.delayUntilMs / 1000 - options.visibilitySeconds
        delayed.push(taken.receipt, Math.max(score, 1).toFixed(3))
      } else {
        const text = markRedelivered(taken.text, outcome === 'requeue')
        const key = this.#listOf(taken.queue, priorityOf(text))
        back.push(taken.receipt, key, outcome === 'restore' ? 'R' : 'L', text)
      }
    }
    wire.hold()
    const keys = this.#settleKeys
    const calls: Promise<unknown>[] = []
    const lease = this.#lease
    for (let i = 0; i < removed.length; i += chunkSize)
      calls.push(wire.script('settle', keys, [lease, ...removed.slice(i, i + chunkSize)]))
    for (let i = 0; i < delayed.length; i += chunkSize)
      calls.push(wire.script('delay', keys, [lease, ...delayed.slice(i, i + chunkSize)]))
    for (let i = 0; i < back.length; i += chunkSize)
      calls.push(this.#giveBack(this.#held, [lease, '', ...back.slice(i, i + chunkSize)]))
    const answers = await Promise.all(calls)
    if (answers.some((answer) => answer === -1)) throw leaseLost()
  }

  /** Gives back what this session holds, but for these receipts; resolves with their number. */
  async giveBackBut(receipts: ReadonlySet<string>): Promise<number> {
    const { wire } = this.#context
    const held = (await wire.send('SMEMBERS', this.#held)) as string[]
    const unknown = held.filter((receipt) => !receipts.has(receipt))
    for (let i = 0; i < unknown.length; i += chunkSize) {
      const chunk = unknown.slice(i, i + chunkSize)
      const values = (await wire.send('HMGET', this.#at.unacked, ...chunk)) as (string | null)[]
      const back: string[] = []
      for (const [n, value] of values.entries()) {
        if (value === null) continue
        // Nobody has seen it: this was no attempt to deal with it.
        const [list = this.#at.parked, text] = this.#home(value, false)
        back.push(chunk[n]!, list, 'R', text)
      }
      const moved = await this.#giveBack(this.#held, [this.#lease, '', ...back])
      if (moved === -1) throw leaseLost()
    }
    return unknown.length
  }

  /** Renews the lease; gives back what dead sessions held and what is due. */
  async tick(refresh: boolean, { channel, inUse }: TickExtras): Promise<PartitionTick> {
    const { wire, quick, keys, options, leaseMs } = this.#context
    const { restoreLimit, visibilitySeconds } = options
    const out = await quick.script(
      'tick',
      [...this.#settleKeys, this.#at.dead, ...(inUse ? [keys.expiring] : [])],
      [
        this.#lease,
        leaseMs,
        visibilitySeconds,
        restoreLimit,
        this.#at.heldPrefix,
        refresh ? 1 : 0,
        channel,
        keys.ownedPrefix,
        ...(inUse ?? []),
      ],
    )
    if (!Array.isArray(out)) throw leaseLost()
    // All at once: one after the other would outlast the lease where the server is far away.
    wire.hold()
    const restoring: Promise<number>[] = []
    for (let i = 1; i < out.length; i += 3) {
      const [dead, receipt, value] = out.slice(i, i + 3) as [string, string, string]
      restoring.push(this.#restore(dead, receipt, value))
    }
    const restored = (await Promise.all(restoring)).reduce((sum, count) => sum + count, 0)
    const next = Number(out[0])
    return { restored, found: restoring.length, nextDueMs: next < 0 ? undefined : next }
  }

  /** Ends the lease: what is held is given back by whoever looks next. False when it was not to end. */
  async leave(onlyWhenIdle = false): Promise<boolean> {
    const keys = [...this.#settleKeys, this.#at.dead]
    const args = [this.#lease, onlyWhenIdle ? 1 : 0]
    return (await this.#context.wire.script('leave', keys, args)) === 1
  }

  get #held(): string {
    return this.#at.heldPrefix + this.#lease
  }

  get #settleKeys(): string[] {
    const { sessions, unacked, unackedIndex } = this.#at
    return [sessions, unacked, unackedIndex, this.#held]
  }

  #listOf(queue: string, priority: number | undefined): string {
    const { keys } = this.#context
    return keys.list(queue, keys.step(priority))
  }

  /** Puts one message of a dead session, or one that is due, back into its list. */
  async #restore(dead: string, receipt: string, value: string): Promise<number> {
    const { wire, options } = this.#context
    const back = restoration(value, dead !== '')
    const isPlain = back === undefined || back.exchange === ''
    const queues = isPlain ? [] : await this.#context.route(back)
    const [list = this.#at.parked, text] = isPlain
      ? this.#home(value, dead !== '')
      : [this.#listOf(queues[0]!, back.priority), back.text]
    const due = dead === '' ? options.visibilitySeconds : ''
    const held = this.#at.heldPrefix + dead
    const moved = await this.#giveBack(held, ['', due, receipt, list, 'R', text])
    if (moved === 1)
      for (const copy of queues.slice(1))
        await wire.send('RPUSH', this.#listOf(copy, back!.priority), text)
    return Number(moved)
  }

  /** The list an entry came from and its text; no list for what is no entry. */
  #home(value: string, countAttempt: boolean): [list: string | undefined, text: string] {
    const back = restoration(value, countAttempt)
    return back ? [this.#listOf(back.routingKey, back.priority), back.text] : [undefined, value]
  }

  #giveBack(held: string, args: readonly (string | number)[]): Promise<unknown> {
    const { sessions, unacked, unackedIndex, parked } = this.#at
    const keys = [sessions, unacked, unackedIndex, held, parked]
    return this.#context.wire.script('giveBack', keys, args)
  }
}

/** Parsed, since headers may have a `priority` of their own. */
function priorityOf(text: string): number | undefined {
  const { properties } = JSON.parse(text) as { properties?: { priority?: unknown } }
  return typeof properties?.priority === 'number' ? properties.priority : undefined
}

export function leaseLost(): MessagingError {
  return new MessagingError(
    'MESSAGING_LEASE_LOST',
    'connection',
    'this session was taken for dead, and others have its messages by now; it starts anew',
  )
}
