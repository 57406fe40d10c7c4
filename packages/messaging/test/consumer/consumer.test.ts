import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import type { Serializer } from '../../src/codec/serializer.ts'
import type { MessagingError } from '../../src/kernel/errors.ts'
import { message } from '../../src/message/message.ts'
import { serializers } from '../../src/serializers/index.ts'
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

describe('deliveries whose codec must be loaded first', () => {
  function lazy(load: () => Promise<void>): Serializer {
    return {
      name: 'lazy',
      contentType: 'application/x-lazy',
      contentEncoding: 'utf-8',
      load,
      encode: (value) => Buffer.from(String(value)),
      decode: (bytes) => Buffer.from(bytes).toString(),
    }
  }

  async function receive(load: () => Promise<void>): Promise<unknown[]> {
    const sender = new Connection('memory://lazy')
    const receiver = new Connection('memory://lazy', {
      serializers: [...Object.values(serializers), lazy(load)],
      accept: ['json', 'lazy'],
    })
    open.push(sender, receiver)
    const seen: unknown[] = []
    const consumer = receiver.consumer({
      queues: ['lazy'],
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) {
          try {
            seen.push(delivery.value)
          } catch (error) {
            seen.push((error as MessagingError).code)
          }
          void delivery.ack()
        }
      },
    })
    await consumer.start()
    const producer = sender.producer({ routingKey: 'lazy' })
    await producer.publish(1)
    await producer.publishMessage({
      exchange: '',
      routingKey: 'lazy',
      message: message(Buffer.from('two'), { contentType: 'application/x-lazy' }),
    })
    await producer.publish(3)
    await pause(60)
    await producer.publish(4)
    await pause(20)
    return seen
  }

  it('come in their order, with what followed them', async () => {
    expect(await receive(async () => void (await pause(40)))).toEqual([1, 'two', 3, 4])
  })

  it('are not lost when it cannot be loaded', async () => {
    const missing = async (): Promise<void> => {
      await pause(10)
      throw new Error('not installed')
    }
    expect(await receive(missing)).toEqual([1, 'MESSAGING_PACKAGE_MISSING', 3, 4])
  })
})
