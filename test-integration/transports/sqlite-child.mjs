// One process of the tests of the embedded broker: `produce`, `consume` or `hold`, on the database of argv.
// It tells its parent what it did after it did it, so that what the parent knows is a lower bound.
import { Connection, message, queue, silentLogger } from '@celeriac/messaging'

const [role, url, name] = process.argv.slice(2)
const connection = new Connection(url, { ambient: { log: silentLogger }, publishTimeout: 20 })

const roles = {
  async produce() {
    const producer = connection.producer()
    for (let batch = 0; ; batch++) {
      const ids = Array.from({ length: 20 }, (_, i) => `${process.pid}-${batch}-${i}`)
      const refused = await producer.publishMany(
        ids.map((id) => ({ exchange: '', routingKey: name, message: message(id) })),
      )
      if (!refused) process.send({ confirmed: ids })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  },
  async consume() {
    const consumer = connection.consumer({
      queues: [queue(name)],
      prefetch: 50,
      onDeliveries(deliveries) {
        const done = deliveries.map(({ message: { body }, origin }) => ({
          id: Buffer.from(body).toString(),
          attempts: origin.attempts,
        }))
        process.send({ done })
        for (const delivery of deliveries) delivery.ack().catch(() => undefined)
      },
    })
    await consumer.start()
    process.send({ ready: true })
  },
  async hold() {
    const channel = await connection.channel()
    const held = await channel.get(name)
    process.send({ held: Buffer.from(held.message.body).toString() })
    setInterval(() => undefined, 1000)
  },
}

process.on('disconnect', () => process.exit())
await roles[role]()
