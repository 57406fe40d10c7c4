// The floor on RabbitMQ: publishes confirmed by the thousand, prefetch 100, one acknowledgement each.
import amqp from 'amqplib'
import { body, taskMessage, timed } from '../systems/message.mjs'

const [role, text] = process.argv.slice(2)
const count = Number(text)
const connection = await amqp.connect(process.env.BROKER_URL)
const channel = await connection.createConfirmChannel()
await channel.assertQueue('bench')
await channel.purgeQueue('bench')

async function publish(many) {
  for (let sent = 0; sent < many; sent += 1000) {
    for (let i = 0; i < Math.min(1000, many - sent); i++) {
      const { id, headers } = taskMessage()
      channel.publish('', 'bench', body, {
        headers,
        correlationId: id,
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        deliveryMode: 2,
      })
    }
    await channel.waitForConfirms()
  }
}

async function consume() {
  await channel.prefetch(100)
  await new Promise((resolve) => {
    let seen = 0
    void channel.consume('bench', (message) => {
      JSON.parse(message.content.toString())
      channel.ack(message)
      if (++seen === count) resolve()
    })
  })
}

if (role !== 'consume') {
  await publish(1000)
  await timed(count, () => publish(count))
} else {
  await publish(count)
  await timed(count, consume)
}
await connection.close()
