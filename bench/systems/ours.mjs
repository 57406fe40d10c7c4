// Ourselves: `ours.mjs enqueue-await|enqueue-bulk|fill|work COUNT`, with the public API and its defaults.
import { Celeriac, createWorker } from '@celeriac/tasks'

const [role, text] = process.argv.slice(2)
const count = Number(text)
const stores = process.env.STORES === '1'
const app = new Celeriac('bench', {
  broker: process.env.BROKER_URL,
  backend: process.env.BROKER_URL,
  module: import.meta.url,
  loadConfig: false,
})
const noop = app.task('bench.noop', { ignoreResult: !stores }, () => 1)
export { app }

async function enqueueAwait() {
  for (let i = 0; i < count; i++) await noop.delay()
}

async function enqueueBulk() {
  for (let sent = 0; sent < count; sent += 1000)
    await Promise.all(Array.from({ length: Math.min(1000, count - sent) }, () => noop.delay()))
}

/** The counterpart of BullMQ's addBulk. */
async function enqueueMany() {
  for (let sent = 0; sent < count; sent += 1000)
    await noop.applyAsyncMany(Array.from({ length: Math.min(1000, count - sent) }, () => []))
}

if (role === 'work') {
  const worker = await createWorker(app, {
    pool: process.env.POOL ?? 'async',
    concurrency: Number(process.env.CONCURRENCY ?? 200),
  })
  await worker.start()
  console.log('ready')
  process.on('SIGTERM', () => void worker.stop().then(() => app.close()))
} else if (role !== undefined) {
  await app.setup()
  await noop.delay()
  const cpu = process.cpuUsage()
  const began = performance.now()
  await (role === 'enqueue-await'
    ? enqueueAwait()
    : role === 'enqueue-many'
      ? enqueueMany()
      : enqueueBulk())
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  await app.close()
  console.log(JSON.stringify({ rate: count / seconds, cpuUs: (user + system) / count }))
}
