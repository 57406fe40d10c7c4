// Not yet: a message that comes too early is given back to the broker until its time.
import { Connection, MessagingError, queue } from '@celeriac/messaging'
import { awake, own, url } from './broker.ts'

const reminders = queue(own('reminders'))
await using connection = new Connection(url)
await using producer = connection.producer({ routingKey: reminders.name })
await producer.publish('tea is ready', { declare: [reminders] })

await awake(read)
await connection.withChannel((channel) => channel.removeQueue(reminders.name))

async function read(): Promise<void> {
  let dueMs: number | undefined
  for await (const delivery of connection.consume(reminders)) {
    if (dueMs !== undefined) {
      const early = Math.max(0, dueMs - Date.now())
      console.log(delivery.value, early < 50 ? 'in time' : `${String(early)} ms too early`)
      await delivery.ack()
      break
    }
    dueMs = Date.now() + 500
    try {
      await delivery.settle({ delayUntilMs: dueMs })
      console.log('later, please')
    } catch (error) {
      if (!MessagingError.is(error)) throw error
      console.log(error.code, error.message)
      // Nothing was done with it yet.
      await delivery.ack()
      break
    }
  }
}
