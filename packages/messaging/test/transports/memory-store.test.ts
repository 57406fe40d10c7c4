import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Connection } from '../../src/connection/connection.ts'
import type { PublishOptions } from '../../src/producer/options.ts'
import { queue } from '../../src/topology/queue.ts'
import { MemoryBroker, type Held } from '../../src/transports/memory/broker.ts'

let connection: Connection
beforeEach(() => void (connection = new Connection(`memory://${Math.random()}`)))
afterEach(() => connection.close())

it('counts a requeue as a delivery, and a message that goes back unused as none', async () => {
  await connection.producer().publish(1, { routingKey: 'counted' })
  const channel = await connection.channel()
  const attempts: number[] = []
  for (const outcome of ['restore', 'restore', 'requeue', 'ack'] as const) {
    const delivery = await channel.get('counted')
    attempts.push(delivery!.origin.attempts)
    await delivery!.settle(outcome)
  }

  expect(attempts).toEqual([0, 0, 0, 1])
})

it('takes back what it once took, however full the queue is that refuses new messages', async () => {
  const channel = await connection.channel()
  const full = queue('full', { maxLength: 1, overflow: 'reject-publish' })
  await channel.declareQueue(full)
  const publish = (value: number, options: PublishOptions = {}) =>
    connection.producer().publish(value, { routingKey: 'full', ...options })
  await publish(1)
  const held = await channel.get('full')
  await publish(2)
  await publish(3, { delay: 0.02 })
  await expect(publish(4)).rejects.toMatchObject({ code: 'MESSAGING_PUBLISH_REFUSED' })

  await held!.requeue()
  await new Promise((resolve) => setTimeout(resolve, 60))

  expect((await channel.declareQueue(full, { passive: true })).messages).toBe(3)
})

it('forgets what waits for its hour with its queue', async () => {
  const channel = await connection.channel()
  await channel.declareQueue(queue('removed'))
  await connection.producer().publish(1, { routingKey: 'removed', delay: 0.02 })
  await channel.removeQueue('removed')
  await new Promise((resolve) => setTimeout(resolve, 60))

  await expect(channel.declareQueue(queue('removed'), { passive: true })).rejects.toMatchObject({
    code: 'MESSAGING_QUEUE_NOT_FOUND',
  })
})

it('keeps no messages until they would have expired', async () => {
  const broker = new MemoryBroker()
  const gone: WeakRef<Held>[] = []
  for (let i = 0; i < 5000; i++) {
    const held = { receipt: `${i}`, queue: 'q', text: '', priority: 0, attempts: 0 }
    broker.put({ ...held, expiresAtMs: 1e15 })
    gone.push(new WeakRef(broker.take('q', 1, 0)[0]!))
  }
  await new Promise((resolve) => setTimeout(resolve, 10))
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()

  expect(gone.filter((one) => one.deref()).length).toBeLessThan(2000)
})
