// Cuts links at many places while everything is used, in a process that any unheard rejection ends. Prints
// how many publishes were confirmed and how many rounds failed with a typed error.
import { Connection, message, MessagingError, queue, silentLogger } from '@celeriac/messaging'
import { FaultProxy } from '@celeriac/messaging/testing'

const [url, name, step, count] = process.argv.slice(2)
const ambient = { log: silentLogger }
const proxy = await FaultProxy.to(url)
const result = { confirmed: 0, failed: 0, rounds: 0 }

for (const direction of ['to-client', 'to-server']) {
  for (let i = 0; i < Number(count); i++) {
    const cut = 1 + i * Number(step)
    proxy.setMode({ cut, direction })
    const connection = new Connection(proxy.through(url), {
      connectTimeout: 1,
      heartbeat: 1,
      ambient,
    })
    result.rounds++
    try {
      await connection.connect()
      const channel = await connection.channel()
      await channel.prefetch(3)
      await channel.declareQueue(queue(name))
      await channel.consume(name, { tag: 't' }, (deliveries) => {
        for (const delivery of deliveries) delivery.requeue().catch(typed)
      })
      const sent = { exchange: '', routingKey: name, message: message(`${direction} ${cut}`) }
      if (!(await channel.publish([sent]))) result.confirmed++
    } catch (error) {
      typed(error)
      result.failed++
    } finally {
      await connection.close()
    }
  }
}
await proxy.close()
console.log(JSON.stringify(result))

function typed(error) {
  if (!MessagingError.is(error)) throw error
}
