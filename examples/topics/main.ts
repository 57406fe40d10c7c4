// A topic exchange: who listens to what is a matter of bindings, and the wildcards are those of AMQP.
import { Connection, exchange, queue } from '@celeriac/messaging'

const media = exchange('media', { type: 'topic' })
const video = queue('video', { bindings: [{ exchange: media, routingKey: 'video.#' }] })
const short = queue('short', { bindings: [{ exchange: media, routingKey: '*.short' }] })

await using connection = new Connection(process.env['BROKER_URL'] ?? 'memory://example')
await using producer = connection.producer({ exchange: media, serializer: 'text' })
for (const key of ['video.short', 'video.long.uncut', 'audio.short', 'audio.long']) {
  await producer.publish(key, { routingKey: key, declare: [video, short] })
}

for (const [one, limit] of [
  [video, 2],
  [short, 2],
] as const) {
  for await (const delivery of connection.consume(one, { limit })) {
    console.log(one.name, delivery.value)
    await delivery.ack()
  }
}
