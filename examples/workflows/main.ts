// Workflows from signatures. The compiler checks every step against the one before it.
import { Celeriac, chain, chord, createWorker, group, groupOf } from '@celeriac/tasks'

const app = new Celeriac('workflows', { broker: 'memory://workflows' })
const add = app.task('add', (x: number, y: number) => x + y)
const total = app.task('total', (numbers: readonly number[]) =>
  numbers.reduce((sum, n) => sum + n, 0),
)
const show = app.task('show', (n: number) => `the answer is ${n}`)

const worker = await createWorker(app, { pool: 'async' })
await worker.start()
const timeout = 5

const steps = await chain(add.s(2, 2), add.s(4), show.s()).delay()
console.log('chain: ', await steps.get({ timeout }))

const side = await group(add.s(1, 1), show.s(7)).delay()
console.log('group: ', await side.get({ timeout }))

const joined = await chord(groupOf([1, 2, 3].map((n) => add.s(n, n))), total.s()).delay()
console.log('chord: ', await joined.get({ timeout }))

const mixed = await chain(add.s(1, 1), group(add.s(10), add.s(20)), total.s(), show.s()).delay()
console.log('mixed: ', await mixed.get({ timeout }))

const mapped = await add
  .starmap([
    [1, 2],
    [3, 4],
  ])
  .delay()
console.log('starmap:', await mapped.get({ timeout }))

await worker.stop()
await app.close()
