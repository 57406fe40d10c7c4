/** What an author of a transport gives to the suite. */
import type { Connection } from '../../connection/connection.ts'
import type { Delivery } from '../../message/delivery.ts'
import type { Capabilities } from '../../transport/capabilities.ts'
import type { Channel } from '../../transport/channel.ts'

export interface TransportHarness {
  readonly name: string
  readonly capabilities: Capabilities
  /** A new connection to the broker under test; the suite closes it. */
  connect(): Connection
  /** A name no other test uses. */
  unique(prefix: string): string
  /** Breaks every link of this connection from the outside; undefined when the broker has no links. */
  readonly breakLinks?: (connection: Connection) => Promise<void>
  /** A new link goes on with the session of the broken one: what was out stays out and can be settled. */
  readonly resumes?: boolean
  /** Behaviour known to differ, each with its reason; a test that passes all the same is a failure. */
  readonly deviations?: Readonly<Record<string, string>>
}

/** Runs `body` with a connection and a channel of its own, and closes both after. */
export function withChannel(
  harness: TransportHarness,
  body: (channel: Channel, connection: Connection) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const connection = harness.connect()
    try {
      await body(await connection.channel(), connection)
    } finally {
      await connection.close()
    }
  }
}

/** Collects deliveries and lets a test wait for a number of them. */
export class Inbox {
  readonly deliveries: Delivery[] = []
  #waiting: { count: number; done: () => void }[] = []

  readonly onDeliveries = (deliveries: Delivery[]): void => {
    this.deliveries.push(...deliveries)
    this.#waiting = this.#waiting.filter(({ count, done }) => {
      if (this.deliveries.length < count) return true
      done()
      return false
    })
  }

  /** Resolves with the deliveries so far once there are `count`; rejects after `ms`. */
  async atLeast(count: number, ms = 10_000): Promise<readonly Delivery[]> {
    if (this.deliveries.length < count) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () =>
            reject(new Error(`${this.deliveries.length} of ${count} deliveries after ${ms} ms`)),
          ms,
        )
        this.#waiting.push({
          count,
          done: () => {
            clearTimeout(timer)
            resolve()
          },
        })
      })
    }
    return this.deliveries
  }

  get texts(): string[] {
    return this.deliveries.map((delivery) => textOf(delivery))
  }
}

export function textOf(delivery: Delivery): string {
  return Buffer.from(delivery.message.body).toString()
}

/** Time enough for a delivery that must not come. */
export async function quiet(ms = 150): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
