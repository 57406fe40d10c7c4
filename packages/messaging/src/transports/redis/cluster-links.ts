/**
 * The links to the masters of a Redis Cluster, each opened when it is first needed, and the map that says
 * which of them has a slot. Redirections are followed, slots on the move waited for. When a link breaks the
 * whole is over, as everywhere: the next session asks anew who is master of what.
 */
import { redisError, type RedisClient } from '../../clients/redis.ts'
import type { Clock } from '../../kernel/clock.ts'
import { sleep } from '../../kernel/clock.ts'
import { messageOf, MessagingError } from '../../kernel/errors.ts'
import type { ConnectOptions } from '../../transport/transport.ts'
import { slotCount, slotOf } from './slots.ts'

/** How long a command waits for a slot that moves, or for a replica to become master. */
const patienceMs = 10_000
const pauseMs = 50

/** The link to one server. */
export interface ClusterMember {
  readonly client: RedisClient
  /** Resolves once, with the reason, when it is over. */
  readonly closed: Promise<Error>
  /** What is asked in this turn of the event loop leaves together. */
  hold(): void
  end(reason: Error): void
}

/** Opens the link to the server in the target; `name` says which part of the whole it is. */
export type OpenMember<L> = (options: ConnectOptions, name: string) => Promise<L>

export class ClusterLinks<L extends ClusterMember> {
  /** The link that was opened first: for what has no key. */
  readonly home: L
  /** Resolves once, with the reason, when one of the links is over. */
  readonly closed: Promise<Error>
  readonly #options: ConnectOptions
  readonly #openMember: OpenMember<L>
  readonly #clock: Clock
  readonly #links = new Map<string, Promise<L>>()
  readonly #open = new Set<L>()
  /** Slot → address of its master. */
  readonly #slots = Array.from<string | undefined>({ length: slotCount })
  #refreshing: Promise<void> | undefined
  #isOver = false
  #resolveClosed!: (reason: Error) => void

  /** As `openFirst`, where nothing is to be added. */
  static async connect<L extends ClusterMember>(
    options: ConnectOptions,
    open: OpenMember<L>,
  ): Promise<ClusterLinks<L>> {
    return await ClusterLinks.openFirst(
      options,
      open,
      (home) => new ClusterLinks(options, open, home),
    )
  }

  /** Resolves with what `make` makes of the first link. Rejects with the last server's error when none answers. */
  protected static async openFirst<L extends ClusterMember, W extends ClusterLinks<L>>(
    options: ConnectOptions,
    open: OpenMember<L>,
    make: (home: L) => W,
  ): Promise<W> {
    const { hosts, host, port } = options.target
    const named = hosts ?? [{ host, port }]
    // Not always the same first: it may be the one that is frozen.
    const first = Math.floor(options.ambient.random() * named.length)
    let failure: unknown
    for (const seed of [...named.slice(first), ...named.slice(0, first)]) {
      const place = { ...options, timeoutMs: options.timeoutMs / 2 }
      const target = { ...options.target, host: seed.host, port: seed.port }
      try {
        const links = make(await open({ ...place, target }, 'seed'))
        try {
          await links.#adoptHome(`${seed.host}:${seed.port ?? 6379}`)
          return links
        } catch (error) {
          links.end(new Error('it was not opened'))
          throw error
        }
      } catch (error) {
        if (MessagingError.is(error) && error.fault === 'fatal') throw error
        failure = error
      }
    }
    throw failure
  }

  protected constructor(options: ConnectOptions, open: OpenMember<L>, home: L) {
    this.#options = options
    this.#openMember = open
    this.#clock = options.ambient.clock
    this.home = home
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#watch(home)
  }

  /** Links that are open. */
  get links(): readonly L[] {
    return [...this.#open]
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** The address of the master of a key, as far as is known. */
  addressOf(key: string): string | undefined {
    return this.#slots[slotOf(key)]
  }

  /** The link to the master of a key. */
  async linkOf(key: string): Promise<L> {
    return await this.at(key, (link) => Promise.resolve(link))
  }

  /** Runs `run` over the link to the master of a key; waits at most `patience` ms for a slot that moves. */
  async at<T>(key: string, run: (link: L) => Promise<T>, patience = patienceMs): Promise<T> {
    return await this.#call(slotOf(key), run, patience)
  }

  hold(): void {
    for (const link of this.#open) link.hold()
  }

  /** Follows what an error says of the map, where it came past this wire; false when it says nothing. */
  learn(error: unknown): boolean {
    const redirect = redirectOf(error)
    if (redirect?.kind === 'MOVED') this.#moved(redirect.slot, redirect.address)
    return redirect !== undefined || isBusy(error)
  }

  /** The map has changed. */
  protected onMap(): void {}

  end(reason: Error): void {
    this.#isOver = true
    for (const link of this.#open) link.end(reason)
    this.#resolveClosed(reason)
  }

  async #call<T>(slot: number, run: (link: L) => Promise<T>, patience: number): Promise<T> {
    const untilMs = this.#clock.monotonic() + patience
    let address = this.#slots[slot]
    let isAsking = false
    for (let hop = 0; ; hop++) {
      try {
        if (address === undefined) throw nobody(slot)
        const link = await this.#link(address)
        // One-shot: it must be the very next thing this server hears before the command.
        if (isAsking) link.client.call('ASKING').catch(() => undefined)
        return await run(link)
      } catch (error) {
        const redirect = redirectOf(error)
        const isOver = this.#isOver || this.#clock.monotonic() > untilMs
        if (redirect && hop < 5) {
          isAsking = redirect.kind === 'ASK'
          address = redirect.address
          if (!isAsking) this.#moved(slot, address)
          continue
        }
        if (isOver || !(redirect || isBusy(error) || isAway(error))) throw error
        await sleep(this.#clock, pauseMs)
        if (isAway(error)) await this.#refresh()
        isAsking = false
        address = this.#slots[slot]
      }
    }
  }

  #link(address: string): Promise<L> {
    const known = this.#links.get(address)
    if (known) return known
    const at = address.lastIndexOf(':')
    const [host, port] = [address.slice(0, at), Number(address.slice(at + 1))]
    const options = { ...this.#options, target: { ...this.#options.target, host, port } }
    const opening = this.#openMember(
      { ...options, timeoutMs: options.timeoutMs / 2 },
      address,
    ).then((link) => {
      if (this.#isOver) link.end(new Error('it is over'))
      else this.#watch(link)
      return link
    })
    this.#links.set(address, opening)
    opening.catch(() => this.#links.delete(address))
    return opening
  }

  #watch(link: L): void {
    this.#open.add(link)
    void link.closed.then((reason) => {
      this.#open.delete(link)
      if (!this.#isOver) this.end(reason)
    })
  }

  async #adoptHome(seed: string): Promise<void> {
    const own = String(await this.home.client.call('CLUSTER', 'MYID'))
    this.#links.set((await this.#read(own)) ?? seed, Promise.resolve(this.home))
  }

  /** Reads the map; resolves with the address of the node `own`, when it is a master. */
  async #read(own = ''): Promise<string | undefined> {
    type Node = [host: string | null, port: number, id: string]
    type Range = [from: number, to: number, master: Node, ...replicas: Node[]]
    let ranges: Range[]
    try {
      ranges = (await this.home.client.call('CLUSTER', 'SLOTS')) as Range[]
    } catch (error) {
      throw redisError(error, 'Redis (CLUSTER)')
    }
    let found: string | undefined
    for (const [from, to, [host, port, id]] of ranges) {
      // A server that does not know its own name means the one it was asked at.
      const name = host === null || host === '' ? this.home.client.options.host : host
      const address = `${name ?? ''}:${port}`
      if (id === own) found = address
      this.#slots.fill(address, from, to + 1)
    }
    return found
  }

  #refresh(): Promise<void> {
    this.#refreshing ??= this.#read()
      .then(() => this.onMap())
      .catch(() => undefined)
      .finally(() => (this.#refreshing = undefined))
    return this.#refreshing
  }

  #moved(slot: number, address: string): void {
    if (this.#slots[slot] === address) return
    this.#slots[slot] = address
    // Slots seldom move alone.
    void this.#refresh()
  }
}

interface Redirect {
  readonly kind: 'MOVED' | 'ASK'
  readonly slot: number
  readonly address: string
}

function redirectOf(error: unknown): Redirect | undefined {
  const found = /\b(MOVED|ASK) (\d+) (\S+:\d+)$/.exec(messageOf(error))
  if (!found) return undefined
  return { kind: found[1] as Redirect['kind'], slot: Number(found[2]), address: found[3]! }
}

/** Its slot is on the move, or the cluster is about to choose a master. */
export function isBusy(error: unknown): boolean {
  return /\b(TRYAGAIN|CLUSTERDOWN|MASTERDOWN)\b/.test(messageOf(error)) || isAway(error)
}

function isAway(error: unknown): boolean {
  return MessagingError.is(error) && error.code === 'MESSAGING_CONNECT_FAILED'
}

function nobody(slot: number): MessagingError {
  return new MessagingError('MESSAGING_CONNECT_FAILED', 'connection', `no server has slot ${slot}`)
}
