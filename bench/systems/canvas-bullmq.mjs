// BullMQ: flows for chords (a parent waits for its children); it has no groups, and a chain is a flow in a flow.
import { FlowProducer, Queue, QueueEvents, Worker } from 'bullmq'
import { latencies, tell } from './canvas-cases.mjs'

const [role, text] = process.argv.slice(2)
const count = Number(text)
const { hostname, port } = new URL(process.env.BROKER_URL)
const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null }
const queueName = 'bench'

if (role === 'work') {
  const work = async (job) => {
    if (job.name === 'size') return Object.keys(await job.getChildrenValues()).length
    if (job.name === 'add') {
      const [before = 0] = Object.values(await job.getChildrenValues())
      return before + 1
    }
    return job.data.x
  }
  const worker = new Worker(queueName, work, { connection, concurrency: 100 })
  await worker.waitUntilReady()
  console.log('ready')
  process.on('SIGTERM', () => void worker.close().then(() => process.exit(0)))
} else {
  const queue = new Queue(queueName, { connection })
  const events = new QueueEvents(queueName, { connection })
  const flows = new FlowProducer({ connection })
  await events.waitUntilReady()
  const warm = await queue.add('one', { x: 1 })
  await warm.waitUntilFinished(events)
  const child = (i) => ({ name: 'one', queueName, data: { x: i } })
  const cases = {
    chord: async () => {
      const children = Array.from({ length: count }, (_, i) => child(i))
      const { job } = await flows.add({ name: 'size', queueName, children })
      return await job.waitUntilFinished(events)
    },
    chain: async () => {
      let flow = { name: 'add', queueName, data: {} }
      for (let i = 1; i < count; i++) flow = { name: 'add', queueName, data: {}, children: [flow] }
      const { job } = await flows.add(flow)
      return await job.waitUntilFinished(events)
    },
  }
  const call = async (i) => {
    const job = await queue.add('one', { x: i })
    await job.waitUntilFinished(events)
  }
  cases.latency = cases.idle = () => latencies(role, count, call)
  await tell(role, count, cases[role])
  process.exit(0)
}
