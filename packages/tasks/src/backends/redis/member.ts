/** The link to one Redis server. It never reconnects by itself: when its socket is over, so is the link. */
import type { MessagingError } from '@celeriac/messaging'
import {
  loadRedisClients,
  messageOf,
  withDeadline,
  type ClusterMember,
  type ConnectOptions,
  type RedisClient,
} from '@celeriac/messaging/internal'
import type { Encoded } from '../../backend/result-codec.ts'
import { defineScripts, loadScripts, type CallScript } from './scripts.ts'

/** Longest wait for the answers of what was sent before the end. */
const farewellMs = 1000

export class Member implements ClusterMember {
  readonly client: RedisClient
  readonly closed: Promise<Error>
  readonly #clients: Awaited<ReturnType<typeof loadRedisClients>>
  readonly #clock: ConnectOptions['ambient']['clock']
  readonly #cork: { hold(): void }
  readonly #call: CallScript
  #isOver = false

  /** `preload`: send the scripts ahead. Rejects with a typed error. */
  static async open(options: ConnectOptions, preload = false): Promise<Member> {
    const clients = await loadRedisClients()
    const client = await clients.openRedis(options)
    const member = new Member(clients, client, options.ambient.clock)
    try {
      if (preload) await member.run('SCRIPT', () => loadScripts(client))
      return member
    } catch (error) {
      member.end()
      throw error
    }
  }

  private constructor(
    clients: Awaited<ReturnType<typeof loadRedisClients>>,
    client: RedisClient,
    clock: ConnectOptions['ambient']['clock'],
  ) {
    this.client = client
    this.#clients = clients
    this.#clock = clock
    this.#cork = new clients.Cork(client)
    this.#call = defineScripts(client)
    this.closed = clients.redisEnded(client)
    void this.closed.then(() => (this.#isOver = true))
  }

  get isOver(): boolean {
    return this.#isOver
  }

  hold(): void {
    this.#cork.hold()
  }

  async script(...call: Parameters<CallScript>): Promise<unknown> {
    return await this.run(call[0], () => this.#call(...call))
  }

  async values(keys: readonly string[], binary: boolean): Promise<readonly (Encoded | null)[]> {
    const asked = [...keys]
    return await this.run<(Encoded | null)[]>('MGET', (client) =>
      binary ? client.mgetBuffer(asked) : client.mget(asked),
    )
  }

  /** Rejects with a typed error that says whether to try again. */
  async run<T>(what: string, work: (client: RedisClient) => Promise<T>): Promise<T> {
    try {
      return await work(this.client)
    } catch (error) {
      const typed: MessagingError = this.#clients.redisError(error, `Redis (${what})`)
      // It was the master and is not any more, or says nothing: nothing can be done over this link.
      if (/READONLY|MASTERDOWN|timed out/.test(messageOf(error))) this.end()
      throw typed
    }
  }

  end(): void {
    this.#isOver = true
    this.#clients.hangUp(this.client)
  }

  /** Ends it when what was sent before is answered. */
  async quit(): Promise<void> {
    if (!this.#isOver) {
      const leaving = this.client.quit()
      await withDeadline(leaving, farewellMs, this.#clock, 'QUIT').catch(() => undefined)
    }
    this.end()
  }
}
