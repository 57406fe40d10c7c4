// Publish and subscribe: every subscriber of a fanout gets each message, those of a topic what matches.
import { Connection, exchange, queue, type Delivery } from '@celeriac/messaging'
import { own, url } from './broker.ts'

const news = exchange(own('news'), { type: 'fanout', durable: false })
const scores = exchange(own('scores'), { type: 'topic' })
const anna = [
  queue(own('anna.news'), { bindings: [{ exchange: news }] }),
  queue(own('anna.scores'), { bindings: [{ exchange: scores, routingKey: '*.final' }] }),
]
const ben = [
  queue(own('ben.news'), { bindings: [{ exchange: news }] }),
  queue(own('ben.scores'), { bindings: [{ exchange: scores, routingKey: 'chess.#' }] }),
]

await using connection = new Connection(url)
await using producer = connection.producer()
const [forAnna, forBen] = [subscribe('anna', anna, 3), subscribe('ben', ben, 3)]
// On some brokers a fanout reaches only those who listen: so first listen, then publish.
await Promise.all([forAnna.started, forBen.started])

await producer.publish('good morning', { exchange: news })
for (const key of ['chess.final', 'chess.semi.first', 'go.final', 'go.semi'])
  await producer.publish(key, { exchange: scores, routingKey: key })

console.log('anna:', (await forAnna.all).toSorted().join(', '))
console.log('ben:', (await forBen.all).toSorted().join(', '))

await connection.withChannel(async (channel) => {
  for (const { name } of [...anna, ...ben]) await channel.removeQueue(name)
  for (const { name } of [news, scores]) await channel.removeExchange(name)
})

function subscribe(who: string, from: typeof anna, count: number) {
  const texts: string[] = []
  let finish!: (texts: string[]) => void
  const all = new Promise<string[]>((resolve) => (finish = resolve))
  const consumer = connection.consumer({
    queues: from,
    tagPrefix: `${who}-`,
    onDeliveries: (deliveries: Delivery[]) => {
      for (const delivery of deliveries) {
        texts.push(String(delivery.value))
        void delivery.ack()
      }
      if (texts.length >= count) finish(texts)
    },
  })
  return { started: consumer.start(), all }
}
