// Ourselves: `messaging.mjs publish|send-many|consume COUNT`, by the public API.
import { Connection } from '@celeriac/messaging'
import { body, taskMessage, timed } from './message.mjs'

const [role, text] = process.argv.slice(2)
const count = Number(text)
const connection = new Connection(process.env.BROKER_URL)
await connection.connect()
const producer = connection.producer()
const jobs = 'bench'

async function publish(many) {
  for (let sent = 0; sent < many; sent += 1000) {
    await Promise.all(
      Array.from({ length: Math.min(1000, many - sent) }, () => {
        const { id, headers } = taskMessage()
        const properties = {
          correlationId: id,
          contentType: 'application/json',
          contentEncoding: 'utf-8',
          deliveryMode: 2,
        }
        return producer.publishMessage({
          exchange: '',
          routingKey: jobs,
          message: { body, headers, properties },
        })
      }),
    )
  }
}

async function sendMany(many) {
  const { id, headers } = taskMessage()
  const values = Array.from({ length: many }, () => body)
  const options = { routingKey: jobs, headers, correlationId: id, contentType: 'application/json' }
  const { confirmed } = await producer.sendMany(values, options)
  if (confirmed !== many) throw new Error(`${confirmed} of ${many} were confirmed`)
}

async function consume() {
  let seen = 0
  let done
  const all = new Promise((resolve) => (done = resolve))
  const consumer = connection.consumer({
    queues: [jobs],
    prefetch: 100,
    onDeliveries(deliveries) {
      for (const delivery of deliveries) {
        void delivery.value
        void delivery.ack()
      }
      seen += deliveries.length
      if (seen >= count) done()
    },
  })
  await consumer.start()
  await all
  await consumer.stop()
}

await connection.withChannel(async (channel) => {
  const { queue } = await import('@celeriac/messaging')
  await channel.declareQueue(queue(jobs))
  await channel.purge(jobs)
})
if (role === 'publish') {
  await publish(1000)
  await timed(count, () => publish(count))
} else if (role === 'send-many') {
  await sendMany(1000)
  await timed(count, () => sendMany(count))
} else {
  await publish(count)
  await timed(count, consume)
}
await connection.close()
