// The messaging layer alone: the same code runs on amqp://, redis://, sqlite:// and memory://.
import { Connection } from '@celeriac/messaging'

await using connection = new Connection(process.env['BROKER_URL'] ?? 'memory://example')
await using producer = connection.producer()

// Sent in one turn, they leave in one packet; each promise settles when the broker has its message.
await Promise.all(['a', 'b', 'c'].map((text) => producer.publish({ text }, { routingKey: 'jobs' })))

for await (const delivery of connection.consume('jobs', { prefetch: 10, limit: 3 })) {
  console.log(delivery.origin.queue, delivery.value)
  await delivery.ack()
}
