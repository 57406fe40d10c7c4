// Questions and answers: a request names the queue for its reply and a number to know it by.
import { randomUUID } from 'node:crypto'
import { Connection, queue, type Delivery } from '@celeriac/messaging'
import { own, url } from './broker.ts'

const requests = queue(own('square'))
// Of this connection alone, where the broker knows such queues; gone with it.
const replies = queue(own('replies'), { exclusive: true })

await using connection = new Connection(url)
await using producer = connection.producer()

const server = connection.loop(requests, async (value, { message }) => {
  const { replyTo, correlationId } = message.properties
  if (replyTo === undefined || correlationId === undefined) return 'drop'
  await producer.publish(Number(value) ** 2, { routingKey: replyTo, correlationId })
  return 'ack'
})
const served = server.run()

const waiting = new Map<string, (value: unknown) => void>()
const client = connection.consumer({ queues: [replies], noAck: true, onDeliveries: onReplies })
await client.start()

const answers = await Promise.all([2, 3, 4].map((n) => call(n)))
console.log('squares of 2, 3, 4:', answers.join(', '))

await server.stop()
await served
await client.stop()
await connection.withChannel(async (channel) => {
  for (const { name } of [requests, replies]) await channel.removeQueue(name)
})

async function call(value: unknown): Promise<unknown> {
  const correlationId = randomUUID()
  const reply = new Promise((resolve) => waiting.set(correlationId, resolve))
  await producer.publish(value, {
    routingKey: requests.name,
    declare: [requests],
    replyTo: replies.name,
    correlationId,
    expiration: 5,
  })
  return await reply
}

function onReplies(deliveries: Delivery[]): void {
  for (const { value, message } of deliveries) {
    const { correlationId = '' } = message.properties
    waiting.get(correlationId)?.(value)
    waiting.delete(correlationId)
  }
}
