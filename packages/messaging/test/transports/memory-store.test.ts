import { afterEach, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'

const connection = new Connection('memory://counts-attempts')
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
