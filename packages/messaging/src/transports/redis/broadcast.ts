/** Fanout exchanges as Redis publish/subscribe, with Kombu's channel names. */
import { redisError, type RedisClient } from '../../clients/redis.ts'
import type { Broadcast } from '../../virtual/store.ts'
import type { RedisKeys } from './keys.ts'
import type { RedisLink } from './link.ts'

export class RedisBroadcast implements Broadcast {
  readonly #link: RedisLink
  readonly #subscriber: RedisClient
  readonly #keys: RedisKeys
  /** Pattern → who listens. Written here only. */
  readonly #listeners = new Map<string, Set<(text: string) => void>>()

  constructor(link: RedisLink, keys: RedisKeys) {
    this.#link = link
    this.#subscriber = link.subscriber
    this.#keys = keys
    link.subscriber.on('pmessage', (pattern: string, _channel: string, text: string) => {
      for (const listener of this.#listeners.get(pattern) ?? []) listener(text)
    })
  }

  async publish(exchange: string, routingKey: string, text: string): Promise<void> {
    await this.#link.send('PUBLISH', this.#keys.channel(exchange, routingKey), text)
  }

  async subscribe(
    exchange: string,
    routingKey: string,
    onText: (text: string) => void,
  ): Promise<() => Promise<void>> {
    const pattern = this.#keys.pattern(exchange, routingKey)
    const listeners = this.#listeners.get(pattern) ?? new Set()
    this.#listeners.set(pattern, listeners.add(onText))
    try {
      await this.#subscriber.psubscribe(pattern)
    } catch (error) {
      throw redisError(error, 'subscribing at Redis')
    }
    return async () => {
      listeners.delete(onText)
      if (listeners.size > 0) return
      this.#listeners.delete(pattern)
      // A link that breaks now has no subscriptions left to end.
      if (this.#subscriber.status === 'ready')
        await this.#subscriber.punsubscribe(pattern).catch(() => undefined)
    }
  }
}
