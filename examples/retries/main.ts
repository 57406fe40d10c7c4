// What can go wrong in a task, and how it is seen from outside.
import { Celeriac, createWorker, RemoteError, TimeoutError } from '@celeriac/tasks'

const app = new Celeriac('retries', { broker: 'memory://retries' })

const flaky = app.task('flaky', { maxRetries: 3 }, function () {
  if (this.request.retries < 2) throw this.retry({ countdown: 0.05 })
  return `worked at attempt ${this.request.retries + 1}`
})
const automatic = app.task(
  'automatic',
  { autoretryFor: [RangeError], maxRetries: 2, retryBackoff: 0.05, retryJitter: false },
  (): number => {
    throw new RangeError('too far')
  },
)
const patient = app.task('patient', { softTimeLimit: 0.1 }, async function () {
  await new Promise((resolve) => this.signal.addEventListener('abort', resolve))
  return `stopped by ${String((this.signal.reason as Error).name)}`
})

const worker = await createWorker(app, { pool: 'async' })
await worker.start()

console.log(await (await flaky.delay()).get({ timeout: 5 }))
try {
  await (await automatic.delay()).get({ timeout: 5 })
} catch (error) {
  if (error instanceof RemoteError) console.log(error.message)
}
console.log(await (await patient.delay()).get({ timeout: 5 }))
const late = await flaky.applyAsync([], { countdown: 60 })
try {
  await late.get({ timeout: 0.1 })
} catch (error) {
  if (error instanceof TimeoutError) console.log('not there in time:', error.code)
}

await worker.stop()
await app.close()
