/** The delayed publications of one link: sees to the ladder they need, and sends them up it. */
import { asMessagingError, MessagingError } from '../../kernel/errors.ts'
import type { ExchangeType } from '../../topology/exchange.ts'
import type { Channel, Publication } from '../../transport/channel.ts'
import { DelayLadder, type DelayLadderOptions } from './delay-ladder.ts'

/** What these need of the link. */
export interface DelaysOptions {
  /** Exchanges that exist for all we know. */
  readonly exchanges: ReadonlySet<string>
  /** Types of those that were declared on this link. */
  readonly exchangeTypes: ReadonlyMap<string, ExchangeType>
  openChannel(): Promise<Channel>
  now(): number
}

/** A batch without its delays, and what cannot be delayed, by its place. */
export interface Undelayed {
  readonly batch: readonly Publication[]
  readonly failures: Map<number, MessagingError>
}

export class Delays {
  readonly #options: DelaysOptions
  readonly #ladder: DelayLadder
  #ready: Promise<void> | undefined
  readonly #bound = new Set<string>()

  constructor(options: DelaysOptions, ladder: DelayLadderOptions) {
    this.#options = options
    this.#ladder = new DelayLadder(ladder)
  }

  /**
   * Declares the ladder where it is missing, and binds queues that are addressed by their names. Those
   * behind other exchanges are bound by whoever consumes them.
   */
  async undelay(batch: readonly Publication[]): Promise<Undelayed> {
    const failures = new Map<number, MessagingError>()
    const changed: Publication[] = []
    for (const [i, publication] of batch.entries()) {
      try {
        changed.push(await this.#undelayed(publication))
      } catch (error) {
        changed.push(publication)
        failures.set(i, asMessagingError(error, 'MESSAGING_ENCODE_FAILED', 'message', 'delaying'))
      }
    }
    return { batch: changed, failures }
  }

  async #undelayed(publication: Publication): Promise<Publication> {
    const { exchange, routingKey, delayUntilMs } = publication
    if (delayUntilMs === undefined) return publication
    const seconds = (delayUntilMs - this.#options.now()) / 1000
    if (seconds <= 0) return publication
    const type =
      exchange === ''
        ? 'direct'
        : (publication.exchangeType ?? this.#options.exchangeTypes.get(exchange))
    if (type === undefined) throw unknownType(exchange)
    // First what is cheap to refuse.
    const delayed = this.#ladder.publication(publication, type, seconds)
    await this.#prepare()
    if (exchange === '') await this.#bind(routingKey)
    return delayed
  }

  async #prepare(): Promise<void> {
    // The broker said that it is gone.
    if (this.#ready && !this.#options.exchanges.has(this.#ladder.entrance)) this.#ready = undefined
    this.#ready ??= this.#declare().catch((error: unknown) => {
      this.#ready = undefined
      throw error
    })
    await this.#ready
  }

  async #declare(): Promise<void> {
    this.#bound.clear()
    try {
      await this.#with((channel) => this.#ladder.check(channel))
    } catch (error) {
      if (!MessagingError.is(error) || error.code !== 'MESSAGING_DECLARATION_REFUSED') throw error
      await this.#with((channel) => this.#ladder.declare(channel))
    }
  }

  async #bind(queue: string): Promise<void> {
    if (this.#bound.has(queue)) return
    try {
      await this.#with((channel) => this.#ladder.bindTo(channel, queue))
    } catch (error) {
      // Of a queue that is not there this message is the victim, no other.
      if (!MessagingError.is(error) || error.code !== 'MESSAGING_QUEUE_NOT_FOUND') throw error
      throw new MessagingError('MESSAGING_PUBLISH_REFUSED', 'message', error.message, {
        cause: error,
      })
    }
    this.#bound.add(queue)
  }

  async #with(work: (channel: Channel) => Promise<void>): Promise<void> {
    const channel = await this.#options.openChannel()
    try {
      await work(channel)
    } finally {
      await channel.close()
    }
  }
}

function unknownType(exchange: string): MessagingError {
  return new MessagingError(
    'MESSAGING_OPTION_INVALID',
    'message',
    `to delay a message to exchange '${exchange}' its type must be known; give the exchange as exchange('${exchange}', { type: … }) instead of its name`,
  )
}
