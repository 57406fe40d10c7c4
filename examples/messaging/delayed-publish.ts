// Later: the broker holds what is published until its time, and nobody has to keep it.
import { Connection, MessagingError, queue } from '@celeriac/messaging'
import { awake, own, url } from './broker.ts'

const alarm = queue(own('alarm'))
await using connection = new Connection(url)
await using producer = connection.producer({ routingKey: alarm.name })

await awake(async () => {
  const dueMs = Date.now() + 1000
  try {
    await producer.publish('good morning', { delay: 1, declare: [alarm] })
  } catch (error) {
    if (!MessagingError.is(error)) throw error
    return console.log(error.code, error.message)
  }
  await producer.publish('good night')
  for await (const delivery of connection.consume(alarm, { limit: 2 })) {
    await delivery.ack()
    const isEarly = delivery.value === 'good morning' && Date.now() < dueMs - 50
    console.log(delivery.value, isEarly ? 'too early' : 'in time')
  }
})

await connection.withChannel((channel) => channel.removeQueue(alarm.name))
