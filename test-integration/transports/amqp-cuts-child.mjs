// Cuts the link at one frame after the other of an exchange that uses everything, and makes channels fail in a
// row, in a process that any unheard rejection ends. Prints what came of it.
import { Connection, exchange, MessagingError, queue, silentLogger } from '@celeriac/messaging'
import { StrictAmqpProxy } from '@celeriac/messaging/testing'

const [url, name, messages, channelErrors] = process.argv.slice(2)
const result = {
  frames: 0,
  cuts: 0,
  lost: 0,
  doubled: 0,
  slowestMs: 0,
  windows: 0,
  consumes: 0,
  errors: 0,
}
let passed = 0
let cutAt = Infinity
const proxy = await StrictAmqpProxy.to(url, {
  version: false,
  globalQos: 'allow',
  onFrame: ({ type, method }) => {
    if (type === 8) return
    if (method === '60.10') result.windows++
    if (method === '60.20') result.consumes++
    if (++passed !== cutAt) return
    proxy.breakAll()
    return 'drop'
  },
})

/** Declares, binds, consumes, publishes one by one, acknowledges; resolves when all of it is done. */
async function round() {
  const connection = new Connection(proxy.through(url), {
    publishTimeout: 10,
    ambient: { log: silentLogger },
  })
  const source = exchange(name, { type: 'topic' })
  const own = queue(name, { bindings: [{ exchange: source, routingKey: 'a.*' }] })
  const seen = new Map()
  let done
  const all = new Promise((resolve) => (done = resolve))
  const consumer = connection.consumer({
    queues: [own],
    prefetch: 3,
    onDeliveries: (deliveries) => {
      for (const delivery of deliveries) {
        seen.set(delivery.value, (seen.get(delivery.value) ?? 0) + 1)
        delivery.ack().catch(typed)
      }
      if (seen.size === Number(messages)) done()
    },
  })
  const producer = connection.producer({ exchange: source, routingKey: 'a.b' })
  await consumer.start()
  for (let i = 0; i < Number(messages); i++) await producer.publish(i)
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 5000).unref())])
  await connection.close()
  result.lost += Number(messages) - seen.size
  result.doubled += [...seen.values()].filter((times) => times > 1).length
}

await round()
result.frames = passed
for (cutAt = 1; cutAt <= result.frames; cutAt++) {
  passed = 0
  const began = performance.now()
  await round()
  result.slowestMs = Math.max(result.slowestMs, Math.round(performance.now() - began))
  if (passed >= cutAt) result.cuts++
}

cutAt = Infinity
const connection = new Connection(proxy.through(url), { ambient: { log: silentLogger } })
let interrupted = 0
const consumer = connection.consumer({
  queues: [name],
  onDeliveries: (d) => d.map((one) => one.ack()),
})
consumer.signals.on('interrupted', () => interrupted++)
await consumer.start()
for (let i = 0; i < Number(channelErrors); i++) {
  const channel = await connection.channel()
  const work = [channel.purge(`${name}-none`), channel.get(name), channel.prefetch(1)]
  for (const one of await Promise.allSettled(work)) if (one.status === 'rejected') typed(one.reason)
  if ((await channel.closed)?.fault === 'channel') result.errors++
}
await connection.producer().publish('end', { routingKey: name })
console.log(
  JSON.stringify({
    ...result,
    interrupted,
    reconnected: connection.counts.reconnected,
    open: proxy.open,
  }),
)
await connection.close()
await proxy.close()

function typed(error) {
  if (!MessagingError.is(error)) throw error
}
