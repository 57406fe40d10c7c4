// A worker in a few lines, and how it stops: SIGTERM comes while a job is running.
import { setTimeout as pause } from 'node:timers/promises'
import { Connection, queue } from '@celeriac/messaging'
import { own, url } from './broker.ts'

const jobs = queue(own('loop'))
await using connection = new Connection(url)
await using producer = connection.producer({ routingKey: jobs.name })
await producer.sendMany([1, 2, 3, 4, 5], { declare: [jobs] })

const loop = connection.loop(
  jobs,
  async (job, _delivery, { signal }) => {
    console.log('begins', job)
    // As a deploy would: the loop fetches nothing more, and this job may end.
    if (job === 3) process.kill(process.pid, 'SIGTERM')
    await pause(50, undefined, { signal })
    console.log('ends', job)
  },
  { concurrency: 1, grace: 5 },
)
process.once('SIGTERM', () => {
  console.log('SIGTERM')
  void loop.stop()
})
await loop.run()

// What was not begun is back at the broker, for the next worker.
const left: number[] = []
for await (const delivery of connection.consume(jobs, { limit: 2 })) {
  left.push(Number(delivery.value))
  await delivery.ack()
}
console.log(
  'left:',
  left.toSorted((a, b) => a - b),
)
await connection.withChannel((channel) => channel.removeQueue(jobs.name))
