/** The app's own front has the types that the files beside this one check on a front of types only. */
import {
  Celeriac,
  chain,
  chord,
  group,
  groupOf,
  kw,
  type AsyncResult,
  type GroupResult,
  type Kw,
} from '../../src/index.ts'
import { same } from './front.ts'

const app = new Celeriac('typed')
const add = app.task('tasks.add', (x: number, y: number) => x + y)
const upper = app.task('tasks.upper', { maxRetries: 2 }, (text: string) => text.toUpperCase())
const sum = app.task('tasks.sum', (xs: readonly number[]) => xs.length)
const bound = app.task('tasks.bound', async function (url: string) {
  await this.updateState('PROGRESS', { url })
  if (this.request.retries < 2) throw this.retry({ countdown: 5 })
  return url.length
})
const scaled = app.task('tasks.scaled', (x: number, o: Kw<{ unit: string }>) => `${x}${o.unit}`)
const train = app.remote<(rows: number) => { auc: number }>('ml.train')

type Sent<S extends { delay(...args: never): Promise<unknown> }> = Awaited<ReturnType<S['delay']>>

export function accepted(): void {
  same<Sent<typeof add>, AsyncResult<number>>()
  same<Sent<typeof bound>, AsyncResult<number>>()
  same<ReturnType<typeof add>, number>()
  const texts = chain(add.s(1, 2), sum.si([1]), add.s(3))
  same<Sent<typeof texts>, AsyncResult<number>>()
  const two = group(add.s(1, 2), upper.s('a'))
  same<Sent<typeof two>, GroupResult<[number, string]>>()
  const joined = chord(groupOf([1, 2].map((i) => add.s(i, i))), sum.s())
  same<Sent<typeof joined>, AsyncResult<number>>()
  const ending = chain(add.s(1, 1), group(add.s(2), add.s(3)))
  same<Sent<typeof ending>, GroupResult<[number, number]>>()
  same<Sent<typeof train>, AsyncResult<{ auc: number }>>()
  void scaled.s(1, kw({ unit: 'm' })).delay()
  void add.applyAsync([1, 2], { countdown: 5, queue: 'low', link: sum.si([1]) })
  void add.s(2).set({ countdown: 1 }).applyAsync([4])
}

export function refused(): void {
  // @ts-expect-error text is no number
  void add.delay('2', 3)
  // @ts-expect-error an argument is missing
  void add.applyAsync([1])
  // @ts-expect-error no such option
  void add.applyAsync([1, 2], { countDown: 5 })
  // @ts-expect-error no such option
  app.task('tasks.option', { maxRetry: 3 }, () => 1)
  // @ts-expect-error number is not text
  chain(add.s(1, 2), upper.s())
  // @ts-expect-error the body wants numbers
  chord([upper.s('a')], sum.s())
  // @ts-expect-error no such setting
  new Celeriac('typed', { workerConcurency: 2 })
  // @ts-expect-error a remote task cannot be called here
  train(3)
}
