import { describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import { message } from '../../src/index.ts'
import { transportSuite } from '../../src/testing/index.ts'
import { capabilities } from '../../src/transports/memory/transport.ts'

let count = 0

transportSuite(
  { describe, it },
  {
    name: 'memory',
    capabilities,
    connect: () => new Connection('memory://suite'),
    unique: (prefix) => `${prefix}-${++count}`,
  },
)

it.each([
  [NaN, 5],
  [-1, 5],
  [2.5, 2],
  [Infinity, 0],
])('puts a priority of %p where the nearest whole one is', async (odd, place) => {
  const connection = new Connection('memory://priorities')
  const channel = await connection.channel()
  const priorities = [0, odd, 1, 2, 3, 255]
  await channel.publish(
    priorities.map((priority) => ({
      exchange: '',
      routingKey: `odd-${odd}`,
      message: message(Object.is(priority, odd) ? 'odd' : `${priority}`, { priority }),
    })),
  )

  const found: string[] = []
  for (const _ of priorities) found.push((await channel.get(`odd-${odd}`))!.message.body.toString())

  expect(found.indexOf('odd')).toBe(place)
  await connection.close()
})

it('refuses a priority of another type, and goes on', async () => {
  const connection = new Connection('memory://priorities')
  const producer = connection.producer()

  await expect(
    producer.publish(1, { routingKey: 'q', priority: 'high' as unknown as number }),
  ).rejects.toMatchObject({ code: 'MESSAGING_ENCODE_FAILED' })

  await producer.publish(2, { routingKey: 'q' })
  await connection.close()
})
