/**
 * Delayed messages on RabbitMQ without a plug-in: a ladder of 28 queues whose messages expire after 1, 2, 4, …
 * seconds. The delay stands in binary before the routing key, and each digit says whether a message waits
 * on that rung or falls to the next. Kombu: transport/native_delayed_delivery.py; names, arguments and
 * bindings are the same, so that one ladder serves both.
 *
 * Kombu's way ends at topic exchanges, whose queues are bound to what follows the digits. Other exchanges
 * compare the whole key or none, so their names travel behind the key, under a last word that no queue of
 * Kombu's is bound to.
 */
import { MessagingError } from '../../kernel/errors.ts'
import { exchange, type ExchangeType } from '../../topology/exchange.ts'
import { queue, type Queue } from '../../topology/queue.ts'
import type { Channel, Publication } from '../../transport/channel.ts'

/** Digits before a routing key, so rungs of the ladder. */
const levels = 28
/** AMQP has one byte for the length of a routing key. */
const longestKey = 255
const digits = /^(?:[01]\.){28}/

/** The longest delay, in seconds: about eight and a half years. */
export const longestDelay = 2 ** levels - 1

export interface DelayLadderOptions {
  /** Type of its queues; default `quorum`. Those of a ladder that exists stay as they are. */
  readonly queueType?: 'quorum' | 'classic'
  /** Stands before each of its names, with `_`; default none, which is what Celery publishes to. */
  readonly prefix?: string
}

export class DelayLadder {
  readonly #queueType: 'quorum' | 'classic'
  readonly #prefix: string

  constructor({ queueType = 'quorum', prefix = '' }: DelayLadderOptions = {}) {
    this.#queueType = queueType
    this.#prefix = prefix === '' ? '' : `${prefix}_`
  }

  /** The exchange to publish to, under a `delayedKey`. */
  get entrance(): string {
    return this.#rung(levels - 1)
  }

  /** The exchange that gets messages when their time has come. */
  get exit(): string {
    return `${this.#prefix}celery_delayed_delivery`
  }

  /**
   * Declares everything, unless it is there. Rejects with `MESSAGING_DECLARATION_REFUSED`, which ends the
   * channel, where a part of it exists with queues of the other type.
   */
  async declare(channel: Channel): Promise<void> {
    for (let level = levels - 1; level >= 0; level--) {
      const name = this.#rung(level)
      await channel.declareExchange(exchange(name, { type: 'topic' }))
      await channel.declareQueue(this.#queue(level))
      await channel.bind({
        exchange: name,
        queue: name,
        routingKey: `${'*.'.repeat(levels - 1 - level)}1.#`,
        arguments: {},
      })
    }
    for (let level = levels - 1; level > 0; level--) await this.#bindNext(channel, level)
    await channel.declareExchange(exchange(this.exit, { type: 'topic' }))
    await this.#bindNext(channel, 0)
  }

  /** Rejects, which ends the channel, when the ladder is not there; ends what a declarer left undone. */
  async check(channel: Channel): Promise<void> {
    for (const name of [this.entrance, this.exit])
      await channel.declareExchange(exchange(name, { type: 'topic' }), { passive: true })
    await this.#bindNext(channel, 0)
  }

  /**
   * Lets delayed messages come to a queue through each of its bindings; the queue and its exchanges, and
   * the ladder, must be there. For a message to the default exchange `bindTo` is enough.
   */
  async bind(channel: Channel, bound: Queue): Promise<void> {
    for (const { exchange: from, routingKey } of bound.bindings) {
      if (from.type === 'direct') await this.bindTo(channel, bound.name, from.name, routingKey)
      else if (from.type === 'topic') {
        const key = routingKey.startsWith('#') ? routingKey : `#.${routingKey}`
        await this.#bindExchange(channel, from.name, key)
        await channel.bind({
          exchange: from.name,
          queue: bound.name,
          routingKey: key,
          arguments: {},
        })
      } else {
        await this.#bindExchange(channel, from.name, `#.${word(from.name)}.${mark(from.type)}`)
      }
    }
  }

  /** Lets a queue get the delayed messages of a direct exchange under one key; '' is the default exchange. */
  async bindTo(
    channel: Channel,
    queueName: string,
    exchangeName = '',
    routingKey = queueName,
  ): Promise<void> {
    const key = `#.${word(routingKey)}.${word(exchangeName)}.${mark('direct')}`
    await channel.bind({ exchange: this.exit, queue: queueName, routingKey: key, arguments: {} })
  }

  /**
   * What to publish so that the message arrives after at least `seconds`. What the ladder would take for
   * its own is left out: the history of earlier delays, by which the broker would see a circle and drop
   * the message, and an expiration, which would end the waiting early.
   */
  publication(publication: Publication, type: ExchangeType, seconds: number): Publication {
    const { delayUntilMs: _, exchangeType: __, ...rest } = publication
    const { expirationMs: ___, ...properties } = publication.message.properties
    const headers = Object.fromEntries(
      Object.entries(publication.message.headers).filter(([name]) => !history.test(name)),
    )
    const key =
      type === 'topic'
        ? publication.routingKey
        : `${word(publication.routingKey)}.${word(publication.exchange)}.${mark(type)}`
    return {
      ...rest,
      exchange: this.entrance,
      routingKey: delayedKey(seconds, key),
      message: { ...publication.message, headers, properties },
    }
  }

  #rung(level: number): string {
    return `${this.#prefix}celery_delayed_${level}`
  }

  #below(level: number): string {
    return level > 0 ? this.#rung(level - 1) : this.exit
  }

  #queue(level: number): Queue {
    return queue(this.#rung(level), {
      arguments: {
        'x-queue-type': this.#queueType,
        'x-overflow': 'reject-publish',
        'x-message-ttl': 2 ** level * 1000,
        'x-dead-letter-exchange': this.#below(level),
        ...(this.#queueType === 'quorum' && { 'x-dead-letter-strategy': 'at-least-once' }),
      },
    })
  }

  async #bindNext(channel: Channel, level: number): Promise<void> {
    await channel.bindExchange({
      exchange: this.#rung(level),
      to: this.#below(level),
      routingKey: `${'*.'.repeat(levels - 1 - level)}0.#`,
      arguments: {},
    })
  }

  async #bindExchange(channel: Channel, to: string, routingKey: string): Promise<void> {
    await channel.bindExchange({ exchange: this.exit, to, routingKey, arguments: {} })
  }
}

/** Headers in which the broker keeps where a message has died before. */
const history = /^x-(?:death$|first-death-|last-death-)/

/**
 * The routing key under which a message waits for so many seconds; parts of a second count as a whole one,
 * so that nothing comes early. Digits of an earlier delay are replaced. Throws `MESSAGING_TOO_LARGE` when
 * the key becomes longer than AMQP's 255 bytes, `MESSAGING_OPTION_INVALID` for a delay the ladder does not
 * have.
 */
export function delayedKey(seconds: number, routingKey: string): string {
  const whole = Math.max(0, Math.ceil(seconds))
  if (!(whole <= longestDelay)) {
    throw new MessagingError(
      'MESSAGING_OPTION_INVALID',
      'message',
      `a delay must be a number of at most ${longestDelay} seconds on RabbitMQ, found ${seconds}`,
    )
  }
  const rest = undelayedKey(routingKey)
  const key = `${whole.toString(2).padStart(levels, '0').split('').join('.')}.${rest}`
  const length = Buffer.byteLength(key)
  if (length > longestKey) {
    throw new MessagingError(
      'MESSAGING_TOO_LARGE',
      'message',
      `the routing key '${rest}' is too long for a delayed message: with the delay it has ${length} bytes, and AMQP allows ${longestKey}`,
    )
  }
  return key
}

/** A routing key without the digits of its delays. */
export function undelayedKey(routingKey: string): string {
  let key = routingKey
  while (digits.test(key)) key = key.replace(digits, '')
  return key
}

const rungName = /celery_delayed_(?:\d+|delivery)$/

/**
 * Where a delayed message was sent to; undefined when this is the key of none. Of a topic exchange nothing but
 * the key is known: the ladder's exit stands for it.
 */
export function delayedOrigin(
  exchangeName: string,
  routingKey: string,
): { readonly exchange: string; readonly routingKey: string } | undefined {
  // The last queue it waited in names the exchange, which may have handed it on from a higher rung.
  if (!rungName.test(exchangeName) || !digits.test(routingKey)) return undefined
  const key = undelayedKey(routingKey)
  const marked = /^([^.]*)\.([^.]*)\.=[^.]+$/.exec(key)
  if (!marked)
    return {
      exchange: exchangeName.replace(rungName, 'celery_delayed_delivery'),
      routingKey: key,
    }
  return { exchange: unword(marked[2]!), routingKey: unword(marked[1]!) }
}

/** The last word of keys that say where to in the words before. */
function mark(type: ExchangeType): string {
  return `=${type}`
}

/** One word of a topic, whatever the text. */
function word(text: string): string {
  return text.replaceAll(
    /[%.*#=]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function unword(text: string): string {
  return text.replaceAll(/%([\dA-F]{2})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  )
}
