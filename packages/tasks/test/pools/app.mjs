// The app that the pool tests run: the tasks of the pool suite.
import { Celeriac } from '@celeriac/tasks'

export const app = new Celeriac('pools', { broker: 'memory://pools', loadConfig: false })

app.task('double', (n) => n * 2)
app.task('fail', () => {
  throw new Error('on purpose')
})
app.task('sleep', (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref()))
app.task('spin', (ms) => {
  const end = Date.now() + ms
  while (Date.now() < end);
})
app.task('crash', (code) => process.exit(code))
app.task('untilSoft', async function () {
  await new Promise((resolve) => this.signal.addEventListener('abort', resolve, { once: true }))
  return this.signal.reason.name
})
