// Ten minutes at 1,000 messages a second with a broken link each minute: nothing lost, and memory, sockets,
// timers and listeners as at the start. `node --expose-gc soak.mjs --minutes 10 --rate 1000 --broker redis`.
import { Connection, queue } from '@celeriac/messaging'
import { FaultProxy } from '@celeriac/messaging/testing'
import { startPrivateRabbit, startPrivateRedis } from '../scripts/services/index.mjs'
import { pause, readFlags } from './measure.mjs'

const flags = readFlags({ minutes: 10, rate: 1000, broker: 'redis', every: 60 })
if (typeof globalThis.gc !== 'function') throw new Error('run it with node --expose-gc')
const start = { redis: () => startPrivateRedis(), amqp: () => startPrivateRabbit({}) }[flags.broker]
if (!start) throw new Error('--broker must be redis or amqp')
const server = await start()
const proxy = await FaultProxy.to(server.url)
const connection = new Connection(proxy.through(server.url))
const target = queue('soak')

const unconfirmed = new Set()
const confirmed = new Set()
let received = 0
let doubled = 0
const seen = new Set()
const consumer = connection.consumer({
  queues: [target],
  prefetch: 500,
  onDeliveries(deliveries) {
    for (const delivery of deliveries) {
      const n = delivery.value
      received++
      if (seen.has(n)) doubled++
      seen.add(n)
      // What both sides have seen needs no more memory.
      if (confirmed.delete(n)) seen.delete(n)
      void delivery.ack()
    }
  },
})
await consumer.start()
const producer = connection.producer({ routingKey: target.name })

let sent = 0
let refused = 0
function send() {
  const n = sent++
  unconfirmed.add(n)
  producer.publish(n).then(
    () => {
      unconfirmed.delete(n)
      if (!seen.delete(n)) confirmed.add(n)
    },
    () => {
      unconfirmed.delete(n)
      refused++
    },
  )
}

/** What must not grow. */
async function sample() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc()
    await pause(50)
  }
  const resources = process.getActiveResourcesInfo()
  const count = (name) => resources.filter((one) => one === name).length
  return {
    rssMb: process.memoryUsage().rss / 2 ** 20,
    heapMb: process.memoryUsage().heapUsed / 2 ** 20,
    sockets: count('TCPSocketWrap'),
    timers: count('Timeout'),
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
  }
}

const tick = 20
const began = performance.now()
const timer = setInterval(() => {
  const due = Math.floor(((performance.now() - began) / 1000) * flags.rate)
  for (let i = 0; i < 200 && sent < due; i++) send()
}, tick)

const samples = []
const rounds = Math.round((flags.minutes * 60) / flags.every)
for (let round = 0; round < rounds; round++) {
  await pause(flags.every * 1000 - 10_000)
  samples.push(await sample())
  const { rssMb, heapMb, sockets, timers, listeners } = samples.at(-1)
  console.log(
    `${round + 1}: ${sent} sent, ${received} received, ${doubled} doubled; ` +
      `RSS ${rssMb.toFixed(1)} MB, heap ${heapMb.toFixed(1)} MB, ` +
      `${sockets} sockets, ${timers} timers, ${listeners} listeners`,
  )
  proxy.breakAll()
  await pause(10_000)
}
clearInterval(timer)
for (let i = 0; i < 300 && (unconfirmed.size > 0 || confirmed.size > 0); i++) await pause(100)

/** Least squares over the samples after the first two, in MB a minute. */
function slope(values) {
  const rest = values.slice(2)
  const xs = rest.map((_, i) => (i * flags.every) / 60)
  const mean = (list) => list.reduce((sum, one) => sum + one, 0) / list.length
  const [mx, my] = [mean(xs), mean(rest)]
  const over = xs.reduce((sum, x, i) => sum + (x - mx) * (rest[i] - my), 0)
  return over / xs.reduce((sum, x) => sum + (x - mx) ** 2, 0)
}
const growth = slope(samples.map(({ rssMb }) => rssMb))
const same = (name) => new Set(samples.slice(1).map((one) => one[name])).size === 1
const verdicts = {
  [`lost ${confirmed.size} of ${sent} (${refused} refused at their deadline)`]:
    confirmed.size === 0,
  [`RSS grows by ${growth.toFixed(2)} MB a minute`]: growth < 1,
  'sockets stay the same': same('sockets'),
  'listeners stay the same': same('listeners'),
  'timers stay the same, give or take two':
    Math.max(...samples.slice(1).map((s) => s.timers)) -
      Math.min(...samples.slice(1).map((s) => s.timers)) <=
    2,
}
for (const [what, holds] of Object.entries(verdicts))
  console.log(`${holds ? 'ok' : 'FAILED'}: ${what}`)
console.log(connection.counts)
await connection.close()
await proxy.close()
await server.dispose()
process.exitCode = Object.values(verdicts).every(Boolean) ? 0 : 1
