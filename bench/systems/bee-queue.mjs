// bee-queue at the best setting found for it: concurrency 300, saveAll of 1,000.
import Queue from 'bee-queue'

const [role, text] = process.argv.slice(2)
const count = Number(text)
const { hostname, port } = new URL(process.env.BROKER_URL)
const queue = new Queue('bench', {
  redis: { host: hostname, port: Number(port) },
  removeOnSuccess: process.env.STORES !== '1',
  isWorker: role === 'work',
  getEvents: false,
  sendEvents: false,
  storeJobs: false,
})
await queue.ready()

if (role === 'work') {
  queue.process(300, async () => 1)
  console.log('ready')
  process.on('SIGTERM', () => void queue.close(1000).finally(() => process.exit(0)))
} else {
  await queue.createJob({}).save()
  const cpu = process.cpuUsage()
  const began = performance.now()
  if (role === 'enqueue-await') for (let i = 0; i < count; i++) await queue.createJob({}).save()
  else
    for (let sent = 0; sent < count; sent += 1000)
      await queue.saveAll(
        Array.from({ length: Math.min(1000, count - sent) }, () => queue.createJob({})),
      )
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  console.log(JSON.stringify({ rate: count / seconds, cpuUs: (user + system) / count }))
  process.exit(0)
}
