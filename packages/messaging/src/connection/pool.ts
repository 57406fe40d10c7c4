/**
 * Bounded pools. The driver is generic-pool, with its two traps closed: an acquire always has a deadline,
 * and what is pooled is made without asking the broker, so that making it cannot fail again and again.
 */
import { createPool, type Pool as Generic } from 'generic-pool'
import { asMessagingError, MessagingError } from '../kernel/errors.ts'
import type { Producer, ProducerOptions } from '../producer/producer.ts'
import type { Channel } from '../transport/channel.ts'
import { Connection } from './connection.ts'
import type { ConnectionOptions } from './options.ts'

export interface PoolOptions {
  /** Most of them at once; default 10. */
  readonly limit?: number
  /** Seconds to wait for one when all are in use; default 5. */
  readonly acquireTimeout?: number
  /** Seconds after which one that nobody uses is closed; default 60. */
  readonly idleTimeout?: number
}

/** How the things of a pool are made, judged and ended. */
export interface PoolFactory<T> {
  make(): T
  /** False for one that is not to be handed out again. */
  isUsable(item: T): boolean
  close(item: T): Promise<void>
}

/** In the place of what could not be made: the driver would try it again and again, without a pause. */
class Broken {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

export class Pool<T> {
  readonly limit: number
  readonly #what: string
  readonly #acquireTimeout: number
  readonly #generic: Generic<T | Broken>
  #closing: Promise<void> | undefined
  /** Closed, whether all came back or not. */
  #isOver = false

  constructor(what: string, factory: PoolFactory<T>, options: PoolOptions = {}) {
    const { limit = 10, acquireTimeout = 5, idleTimeout = 60 } = options
    if (!Number.isInteger(limit) || limit < 1 || !(acquireTimeout > 0) || !(idleTimeout > 0)) {
      throw new MessagingError(
        'MESSAGING_OPTION_INVALID',
        'fatal',
        `a pool needs a limit of at least 1 and times above 0, found ${JSON.stringify(options)}`,
      )
    }
    this.#what = what
    this.limit = limit
    this.#acquireTimeout = acquireTimeout
    this.#generic = createPool<T | Broken>(
      {
        async create() {
          try {
            return factory.make()
          } catch (error) {
            return new Broken(error)
          }
        },
        async destroy(item) {
          if (!(item instanceof Broken)) await factory.close(item).catch(() => undefined)
        },
        validate: async (item) => item instanceof Broken || factory.isUsable(item),
      },
      {
        max: limit,
        testOnBorrow: true,
        fifo: false,
        acquireTimeoutMillis: acquireTimeout * 1000,
        idleTimeoutMillis: idleTimeout * 1000,
        evictionRunIntervalMillis: Math.max(1000, (idleTimeout * 1000) / 4),
      },
    )
  }

  /** In use at the moment. */
  get borrowed(): number {
    return this.#generic.borrowed
  }

  /** Made, in use or not. */
  get size(): number {
    return this.#generic.size
  }

  /** Who wait for one. */
  get pending(): number {
    return this.#generic.pending
  }

  /** True from `close` on. */
  get isClosed(): boolean {
    return this.#closing !== undefined
  }

  /** One for this caller alone, to be released; rejects with `MESSAGING_POOL_EXHAUSTED` at the deadline. */
  async acquire(): Promise<T> {
    if (this.#closing) throw poolClosed(this.#what)
    let item: T | Broken
    try {
      item = await this.#generic.acquire()
    } catch (error) {
      if (this.#closing) throw poolClosed(this.#what)
      throw (error as Error).name === 'TimeoutError'
        ? new MessagingError(
            'MESSAGING_POOL_EXHAUSTED',
            'message',
            `all ${this.limit} ${this.#what} were in use for ${this.#acquireTimeout} s; release them sooner, or raise the limit`,
            { cause: error },
          )
        : asMessagingError(error, 'MESSAGING_CONNECT_FAILED', 'connection', this.#what)
    }
    if (!(item instanceof Broken)) return item
    await this.#generic.destroy(item)
    throw item.error
  }

  /** Back to the pool; one that is not usable any more is closed there. Throws for one that is not its own. */
  async release(item: T): Promise<void> {
    if (!this.#generic.isBorrowedResource(item)) {
      throw new MessagingError(
        'MESSAGING_OPTION_INVALID',
        'message',
        `what is given back was not acquired from this pool of ${this.#what}, or was given back before`,
      )
    }
    // Nobody would ever close it there.
    if (this.#isOver) await this.#generic.destroy(item)
    else await this.#generic.release(item)
  }

  /** Runs `work` with one of them, and gives it back whatever happens. */
  async use<R>(work: (item: T) => Promise<R>): Promise<R> {
    const item = await this.acquire()
    try {
      return await work(item)
    } finally {
      await this.release(item)
    }
  }

  /** Waits for those in use, at most `acquireTimeout`, then closes all. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    let patience: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, this.#acquireTimeout * 1000).unref()
    })
    await Promise.race([this.#generic.drain(), late])
    clearTimeout(patience)
    this.#isOver = true
    await Promise.race([this.#generic.clear(), late])
  }
}

/** Connections to one broker. Each comes back by itself after a fault, so they stay in the pool. */
export class ConnectionPool extends Pool<Connection> {
  constructor(
    urls: string | readonly string[],
    options: ConnectionOptions = {},
    pool: PoolOptions = {},
  ) {
    super(
      'connections',
      {
        make: () => new Connection(urls, options),
        isUsable: (connection) => connection.state !== 'closed',
        close: (connection) => connection.close(),
      },
      pool,
    )
  }

  /** Runs `work` on a channel of its own, on a connection of the pool. */
  async withChannel<R>(work: (channel: Channel) => Promise<R>): Promise<R> {
    return await this.use((connection) => connection.withChannel(work))
  }
}

/** Producers, each on a connection of its own: for many publishers that must not wait for each other. */
export class ProducerPool extends Pool<Producer> {
  constructor(
    urls: string | readonly string[],
    options: ConnectionOptions & { readonly producer?: ProducerOptions } = {},
    pool: PoolOptions = {},
  ) {
    const { producer: producerOptions, ...rest } = options
    const owners = new Map<Producer, Connection>()
    super(
      'producers',
      {
        make() {
          const connection = new Connection(urls, rest)
          const producer = connection.producer(producerOptions)
          owners.set(producer, connection)
          return producer
        },
        isUsable: (producer) => owners.get(producer)?.state !== 'closed',
        async close(producer) {
          const connection = owners.get(producer)
          owners.delete(producer)
          await connection?.close()
        },
      },
      pool,
    )
  }
}

function poolClosed(what: string): MessagingError {
  return new MessagingError(
    'MESSAGING_CONNECTION_CLOSED',
    'fatal',
    `this pool of ${what} is closed`,
  )
}
