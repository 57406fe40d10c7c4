// The floor of a way there and back on Redis: LPUSH wakes a BRPOP, whose process publishes to who waits. Nothing is
// kept, and a message in hand is lost with its process.
import { Redis } from 'ioredis'
import { latencies, tell } from '../systems/canvas-cases.mjs'

const [role, text] = process.argv.slice(2)
const count = Number(text)
const connect = () => new Redis(process.env.BROKER_URL, { protocol: 2 })

if (role === 'work') {
  const [taker, teller] = [connect(), connect()]
  process.on('SIGTERM', () => process.exit(0))
  console.log('ready')
  for (;;) {
    const [, id] = await taker.brpop('floor', 0)
    await teller.publish(`floor:${id}`, id)
  }
} else {
  const [sender, listener] = [connect(), connect()]
  const waiting = new Map()
  listener.on('message', (channel) => waiting.get(channel)?.())
  const call = async (i) => {
    const channel = `floor:${i}`
    const told = new Promise((resolve) => waiting.set(channel, resolve))
    const subscribed = listener.subscribe(channel)
    await Promise.all([subscribed, sender.lpush('floor', i)])
    await told
    waiting.delete(channel)
    void listener.unsubscribe(channel)
  }
  await call(-1)
  await tell(role, count, () => latencies(role, count, call))
  process.exit(0)
}
