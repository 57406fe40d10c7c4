import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { memory } from '../../src/transports/memory/transport.ts'

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The memory transport, taking its time for every declaration and counting what is consumed. */
function slow() {
  const consumed: string[] = []
  const transport: Transport = {
    ...memory,
    async connect(options) {
      const session = await memory.connect(options)
      const openChannel = session.openChannel.bind(session)
      session.openChannel = async () => {
        const channel = await openChannel()
        const { declareQueue, consume } = channel
        channel.declareQueue = async (...args) => {
          await pause(20)
          return await declareQueue.apply(channel, args)
        }
        channel.consume = async (...args) => {
          consumed.push(args[0])
          await consume.apply(channel, args)
        }
        return channel
      }
      return session
    },
  }
  const transports = { slow: { load: async () => transport, defaultPort: undefined } }
  const connection = new Connection(`slow://${Math.random()}`, { transports })
  open.push(connection)
  return { connection, consumed }
}

describe('Consumer', () => {
  it('consumes a queue once that is added while everything is set up', async () => {
    const { connection, consumed } = slow()
    const consumer = connection.consumer({ queues: ['a', 'b'], onDeliveries: () => undefined })
    const started = consumer.start()
    await pause(30)

    await consumer.addQueue('c')
    await started

    expect(consumed.toSorted()).toEqual(['a', 'b', 'c'])
  })

  it('fetches nothing when it was cancelled while it was set up', async () => {
    const { connection, consumed } = slow()
    const consumer = connection.consumer({ queues: ['a', 'b'], onDeliveries: () => undefined })
    const started = consumer.start()
    await pause(10)

    await consumer.cancel()
    await started

    expect(consumed).toEqual([])
  })
})

describe('iterating deliveries', () => {
  it('ends when the connection is closed', async () => {
    const connection = new Connection('memory://iterate-close')
    const looping = (async () => {
      for await (const delivery of connection.consume('nothing')) await delivery.ack()
      return 'ended'
    })()
    await pause(10)

    await connection.close()

    await expect(looping).resolves.toBe('ended')
  })
})
