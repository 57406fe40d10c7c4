// Work shared between consumers: each message goes to one of them, and comes back when its consumer fails.
import { Connection, queue } from '@celeriac/messaging'
import { own, url } from './broker.ts'

const jobs = queue(own('jobs'))
await using connection = new Connection(url)
await using producer = connection.producer({ routingKey: jobs.name })

// One call, one packet; the report says of each value whether the broker has it.
const report = await producer.sendMany(['one', 'two', 'three', 'four'], { declare: [jobs] })
console.log('confirmed', report.confirmed, 'failed', report.failures.size)

let hasFailed = false
const done: string[] = []
for await (const delivery of connection.consume(jobs, { prefetch: 2 })) {
  const job = String(delivery.value)
  if (job === 'two' && !hasFailed) {
    hasFailed = true
    console.log(job, 'fails once and goes back')
    await delivery.requeue()
    continue
  }
  await delivery.ack()
  done.push(delivery.origin.redelivered ? `${job} (again)` : job)
  if (done.length === 4) break
}
console.log('done:', done.toSorted().join(', '))

await connection.withChannel((channel) => channel.removeQueue(jobs.name))
