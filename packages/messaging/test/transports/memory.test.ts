import { describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
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

it('refuses a priority that is no number, and goes on', async () => {
  const connection = new Connection('memory://priorities')
  const producer = connection.producer()
  for (const priority of [NaN, 'high' as unknown as number])
    await expect(producer.publish(1, { routingKey: 'q', priority })).rejects.toMatchObject({
      code: 'MESSAGING_ENCODE_FAILED',
    })
  await producer.publish(2, { routingKey: 'q' })
  await connection.close()
})
