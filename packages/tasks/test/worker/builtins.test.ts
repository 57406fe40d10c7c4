/** Celery's own tasks, as Python sends them. */
import { afterEach, expect, it } from '@jest/globals'
import { resultFromTuple, type Celeriac } from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

/** Sent from here they would be a group at once; Python sends them under their name. */
const travelled = 'travelled.chunks'

async function started(): Promise<{ app: Celeriac; add: object }> {
  let add!: object
  bench = await setup((app) => {
    const task = app.task('add', (x: number, y: number) => x + y)
    add = (task.s as unknown as () => { toJSON(): object })().toJSON()
  })
  bench.app.signals.on('beforeTaskPublish', ({ task, headers }) => {
    if (task === travelled) headers['task'] = 'celery.chunks'
  })
  await bench.worker.start()
  return { app: bench.app, add }
}

const items = [
  [1, 2],
  [3, 4],
  [5, 6],
]

it('chunks are sent as a group, whose handle is the result', async () => {
  const { app, add } = await started()

  const sent = await app.sendTask(travelled, [], { kwargs: { task: add, it: items, n: 2 } })
  const tree = await sent.get({ timeout: 5 })

  const group = await resultFromTuple(tree, app)
  expect(await group.get({ timeout: 5 })).toEqual([[3, 7], [11]])
})

it.each([
  ['no list', { it: 7, n: 2 }],
  ['no size', { it: items, n: 'two' }],
])('chunks of %s fail', async (_name, { it: given, n }) => {
  const { app, add } = await started()

  const sent = await app.sendTask(travelled, [add, given, n])

  await expect(sent.get({ timeout: 5 })).rejects.toMatchObject({
    message: expect.stringContaining('chunks'),
  })
})
