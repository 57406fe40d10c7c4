// The same workflows without a broker and without a worker: for tests, scripts and a debugger.
import { Celeriac, chain, chord, group } from '@celeriac/tasks'

const app = new Celeriac('eager', { broker: 'memory://nobody' })
const add = app.task('add', (x: number, y: number) => x + y)
const total = app.task('total', (numbers: readonly number[]) =>
  numbers.reduce((sum, n) => sum + n, 0),
)
const flaky = app.task('flaky', { maxRetries: 2 }, function () {
  if (this.request.retries < 2) throw this.retry({ countdown: 3600 })
  return `attempt ${this.request.retries + 1}, without the hours between`
})

console.log(await (await add.apply([1, 2])).get())
console.log(await (await chain(add.s(1, 2), group(add.s(1), add.s(2)), total.s()).apply([])).get())
console.log(await (await chord([add.s(1, 1), add.s(2, 2)], total.s()).apply([])).get())
console.log(await (await flaky.apply([])).get())
await app.close()
