// Consumers of Redis rest on what they found empty until the server tells of a change: no message may be overlooked,
// however many consumers of how many queues take from each other, give back and publish meanwhile.
import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import type { Delivery } from '@celeriac/messaging'
import { expect, it } from '@jest/globals'
import { redisBench } from '../fixtures/redis-bench.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const bench = redisBench()
const isLong = process.env['CELERIAC_CHAOS'] === 'long'
/** Longer than anything but a wait for the next notice. */
const lateMs = 3000

describeWith('redis', 'a message on Redis', () => {
  it(
    'wakes somebody, whoever rests on its queue',
    async () => {
      const queues = [0, 1, 2].map((n) => uniqueName(`rest${String(n)}`))
      const arrived = new Map<number, () => void>()
      const returned = new Set<number>()
      const settle = async (delivery: Delivery): Promise<void> => {
        const id = delivery.value as number
        // Some go back once, over the link of who had them.
        if (id % 10 === 0 && !returned.has(id)) {
          returned.add(id)
          return await delivery.requeue()
        }
        arrived.get(id)?.()
        await delivery.ack()
      }
      const onDeliveries = (deliveries: readonly Delivery[]): void =>
        deliveries.forEach((one) => void settle(one).catch(() => undefined))
      const consume = [
        { queues, prefetch: 1 },
        { queues, prefetch: 3 },
        { queues: [queues[1]!], prefetch: 50 },
      ]
      for (const options of consume)
        await bench
          .connect(urlOf('redis'))
          .consumer({ ...options, onDeliveries })
          .start()
      const producer = bench.connect(urlOf('redis')).producer()
      const end = performance.now() + (isLong ? 120_000 : 6000)
      let next = 0
      const late: number[] = []
      const publishing = async (): Promise<void> => {
        while (performance.now() < end) {
          const id = next++
          const coming = new Promise<boolean>((resolve) => arrived.set(id, () => resolve(true)))
          const priority = id % 7 === 0 ? 9 : 0
          await producer.publish(id, { routingKey: queues[id % 3]!, priority })
          const tooLate = new AbortController()
          const waited = pause(lateMs, false, { signal: tooLate.signal }).catch(() => true)
          if (!(await Promise.race([coming, waited]))) late.push(id)
          tooLate.abort()
          arrived.delete(id)
          // Now and then long enough for everybody to rest.
          if (id % 3 === 0) await pause((id % 5) + 1)
        }
      }

      await Promise.all([publishing(), publishing()])

      process.stderr.write(`${String(next)} messages, ${String(late.length)} late\n`)
      expect(late).toEqual([])
      expect(returned.size).toBeGreaterThan(0)
    },
    isLong ? 180_000 : 30_000,
  )
})
