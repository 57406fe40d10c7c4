/** Deliveries as an async iterator: `for await (const delivery of …)`. Leaving the loop stops consuming. */
import type { Delivery } from '../message/delivery.ts'
import type { Link } from '../transport/link.ts'
import { Consumer, type ConsumerOptions } from './consumer.ts'

export interface IterateOptions extends Omit<ConsumerOptions, 'onDeliveries' | 'queues'> {
  /** Ends the loop. */
  readonly signal?: AbortSignal
  /** Deliveries after which the loop ends. */
  readonly limit?: number
}

export async function* iterate(
  link: Link,
  queues: ConsumerOptions['queues'],
  options: IterateOptions = {},
): AsyncGenerator<Delivery, void, void> {
  const { signal, limit = Infinity, ...rest } = options
  const waiting: Delivery[] = []
  let wake: () => void = () => undefined
  let failure: Error | undefined
  const consumer = new Consumer(link, {
    ...rest,
    queues,
    onDeliveries: (deliveries) => {
      waiting.push(...deliveries)
      wake()
    },
  })
  const abort = (): void => wake()
  signal?.addEventListener('abort', abort, { once: true })
  // After a fault the broker has the waiting ones again, or keeps them for us and is told that we do not
  // want them; but those it forgot as it handed them out are handed on.
  const forget = (): void => {
    for (const delivery of waiting.splice(0)) {
      if (delivery.isSettled) waiting.push(delivery)
      else delivery.settle('restore').catch(() => undefined)
    }
  }
  consumer.signals.on('interrupted', forget)
  let ended = false
  const disown = link.own({
    stop: async () => {
      ended = true
      forget()
      wake()
    },
  })
  consumer.signals.on('failed', ({ error }) => {
    failure = error
    wake()
  })
  void consumer.start().catch(() => undefined)
  try {
    for (let count = 0; count < limit;) {
      if (signal?.aborted) return
      if (failure) throw failure
      const next = waiting.shift()
      if (next) {
        count++
        yield next
      } else if (ended) return
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    signal?.removeEventListener('abort', abort)
    disown()
    await consumer.stop()
  }
}
