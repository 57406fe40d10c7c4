// BullMQ at the best setting found for it: concurrency 100, addBulk of 1,000.
import { Queue, Worker } from 'bullmq'

const [role, text] = process.argv.slice(2)
const count = Number(text)
const { hostname, port } = new URL(process.env.BROKER_URL)
const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null }
const keeps = process.env.STORES === '1'
const options = { removeOnComplete: !keeps, removeOnFail: !keeps }

if (role === 'work') {
  const worker = new Worker('bench', async () => 1, { connection, concurrency: 100 })
  await worker.waitUntilReady()
  console.log('ready')
  process.on('SIGTERM', () => void worker.close().then(() => process.exit(0)))
} else {
  const queue = new Queue('bench', { connection, defaultJobOptions: options })
  await queue.waitUntilReady()
  await queue.add('noop', {})
  const cpu = process.cpuUsage()
  const began = performance.now()
  if (role === 'enqueue-await') for (let i = 0; i < count; i++) await queue.add('noop', {})
  else
    for (let sent = 0; sent < count; sent += 1000)
      await queue.addBulk(
        Array.from({ length: Math.min(1000, count - sent) }, () => ({ name: 'noop', data: {} })),
      )
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  await queue.close()
  console.log(JSON.stringify({ rate: count / seconds, cpuUs: (user + system) / count }))
  process.exit(0)
}
