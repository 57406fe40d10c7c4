// Ourselves: `canvas-ours.mjs work`, or `canvas-ours.mjs <case> COUNT`; the public API and its defaults.
import { Celeriac, chain, chord, createWorker, groupOf } from '@celeriac/tasks'
import { latencies, tell } from './canvas-cases.mjs'

const [role, text] = process.argv.slice(2)
const count = Number(text)
const app = new Celeriac('bench', {
  broker: process.env.BROKER_URL,
  backend: process.env.BROKER_URL,
  loadConfig: false,
})
const one = app.task('bench.one', (x) => x)
const size = app.task('bench.size', (values) => values.length)
const add = app.task('bench.add', (x) => x + 1)

const members = () => Array.from({ length: count }, (_, i) => one.s(i))
const cases = {
  chord: async () => await (await chord(groupOf(members()), size.s()).delay()).get(),
  group: async () => (await (await groupOf(members()).delay()).get()).length,
  chain: async () =>
    await (
      await chain(add.s(0), ...Array.from({ length: count - 1 }, () => add.s())).delay()
    ).get(),
}
const call = async (i) => await (await one.delay(i)).get()
cases.latency = cases.idle = () => latencies(role, count, call)

if (role === 'work') {
  const worker = await createWorker(app, { pool: 'async', concurrency: 100 })
  await worker.start()
  console.log('ready')
  process.on('SIGTERM', () => void worker.stop().then(() => app.close()))
} else {
  await (await one.delay(0)).get()
  await tell(role, count, cases[role])
  await app.close()
}
