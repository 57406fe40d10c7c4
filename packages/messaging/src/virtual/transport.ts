/**
 * A Transport made of a function that opens a MessageStore: opens channels over it, keeps its lease
 * alive, and gives back what is due.
 */
import { asMessagingError, MessagingError } from '../kernel/errors.ts'
import { withDeadline } from '../kernel/deadline.ts'
import { TurnBatch } from '../kernel/turn-batch.ts'
import type { Capabilities } from '../transport/capabilities.ts'
import type { Channel } from '../transport/channel.ts'
import type { ConnectOptions, Session, Transport } from '../transport/transport.ts'
import { VirtualChannel, type VirtualSession } from './channel.ts'
import type { MessageStore, Settlement, StoreContext } from './store.ts'

export interface VirtualOptions {
  readonly name: string
  readonly capabilities: Capabilities
  /** Opens one session's view of the broker; rejects with a typed error within the deadline. */
  open(options: ConnectOptions, context: StoreContext): Promise<MessageStore>
}

export function virtualTransport({ name, capabilities, open }: VirtualOptions): Transport {
  return {
    name,
    capabilities,
    async connect(options) {
      const { ambient } = options
      const context: StoreContext = {
        ambient,
        session: ambient.nextId(),
        events: {
          onParked: (queue, reason) =>
            ambient.log.warn('a message that cannot be read was parked', { queue, reason }),
        },
      }
      const opening = open(options, context)
      const store = await withDeadline(
        opening,
        options.timeoutMs,
        ambient.clock,
        `connecting to ${options.target.masked}`,
        () => {
          // It may still come about; nobody wants it then, and its lease must end.
          opening.then((late) => late.close()).catch(() => undefined)
          return new MessagingError(
            'MESSAGING_CONNECT_FAILED',
            'connection',
            `no connection to ${options.target.masked} within ${options.timeoutMs} ms`,
          )
        },
      )
      return new VirtualSessionOwner(name, capabilities, store, options)
    },
  }
}

class VirtualSessionOwner implements Session, VirtualSession {
  readonly name: string
  readonly capabilities: Capabilities
  readonly store: MessageStore
  readonly ambient: ConnectOptions['ambient']
  readonly closed: Promise<MessagingError | undefined>
  readonly settlements: TurnBatch<Settlement, void>
  readonly broadcastBindings: VirtualSession['broadcastBindings'] = new Map()
  readonly consumers: VirtualSession['consumers'] = new Map()
  readonly #channels = new Set<VirtualChannel>()
  #closing: Promise<void> | undefined
  #cancelTick: () => void = () => undefined
  /** A tick is under way; its end sets the timer. */
  #ticking = false
  #tickAtMs = Infinity
  /** When the next message delayed here is due, by the wall clock. */
  #expectedMs = Infinity
  #resolveClosed!: (reason: MessagingError | undefined) => void

  constructor(
    name: string,
    capabilities: Capabilities,
    store: MessageStore,
    options: ConnectOptions,
  ) {
    this.name = name
    this.capabilities = capabilities
    this.store = store
    this.ambient = options.ambient
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.settlements = new TurnBatch((batch) => store.settle(batch))
    void store.closed.then((reason) => this.#onLost(reason))
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
      if (reason?.fault === 'connection') this.#onLost(reason)
    })
    return Promise.resolve(channel)
  }

  expectDue(atMs: number): void {
    // Remembered, because a tick may be under way that looks before this message is stored.
    this.#expectedMs = Math.min(this.#expectedMs, atMs)
    // A little after the hour rather than a little before it: a look too early finds nothing.
    this.#tickIn(Math.max(0, atMs - this.ambient.clock.now() + 1))
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#cancelTick()
    await Promise.allSettled([...this.#channels].map((channel) => channel.close()))
    this.settlements.flushNow()
    try {
      await this.store.close()
    } finally {
      this.#resolveClosed(undefined)
    }
  }

  #onLost(reason: MessagingError | undefined): void {
    if (this.#closing) return
    const error =
      reason ?? new MessagingError('MESSAGING_CONNECTION_LOST', 'connection', 'the link is gone')
    this.#cancelTick()
    this.#closing = this.store.close().catch(() => undefined)
    for (const channel of this.#channels) channel.fail(error)
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
    try {
      const { nextDueMs } = await this.store.tick()
      this.#ticking = false
      const expectedInMs = this.#expectedMs - this.ambient.clock.now()
      if (expectedInMs <= 0) this.#expectedMs = Infinity
      this.#tickIn(Math.min(nextDueMs ?? Infinity, expectedInMs > 0 ? expectedInMs + 1 : Infinity))
    } catch (error) {
      this.#onLost(asMessagingError(error, 'MESSAGING_STORE_FAILED', 'connection', 'lease'))
    }
  }
}
