// What nobody wants is kept: dropped and expired messages go to the queue's dead-letter exchange.
import { Connection, exchange, MessagingError, queue } from '@celeriac/messaging'
import { awake, own, url } from './broker.ts'

const graveyard = exchange(own('graveyard'), { type: 'direct' })
const dead = queue(own('dead'), { bindings: [{ exchange: graveyard, routingKey: 'dead' }] })
const orders = queue(own('orders'), {
  deadLetterExchange: graveyard.name,
  deadLetterRoutingKey: 'dead',
})

await using connection = new Connection(url)
await using producer = connection.producer({ routingKey: orders.name })
try {
  await producer.publish('spoiled', { declare: [dead, orders] })
  await awake(read)
} catch (error) {
  if (!MessagingError.is(error)) throw error
  console.log(error.code, error.message)
}
await connection.withChannel(async (channel) => {
  for (const { name } of [orders, dead]) await channel.removeQueue(name)
  await channel.removeExchange(graveyard.name)
})

async function read(): Promise<void> {
  for await (const delivery of connection.consume(orders, { limit: 1 })) {
    console.log('dropped:', delivery.value)
    await delivery.drop()
  }
  // Nobody takes this one in time.
  await producer.publish('late', { expiration: 0.1 })
  for await (const delivery of connection.consume(dead, { limit: 2 })) {
    const deaths = delivery.message.headers['x-death'] as readonly { readonly reason: string }[]
    console.log('dead:', delivery.value, `(${String(deaths[0]?.reason)})`)
    await delivery.ack()
  }
}
