/** Error callbacks on a worker: each kind the types allow gets what its types say. */
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals'
import { chain, group, RemoteError, type Celeriac, type FailedTask } from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

const noted: unknown[][] = []
const note = (...given: unknown[]): void => void noted.push(given)

function tasks(app: Celeriac) {
  return {
    boom: app.task('boom', (_n: number): number => {
      throw new RangeError('boom')
    }),
    id: app.task('id', (id: string) => note('id', id)),
    withNote: app.task('withNote', (id: string, text: string) => note('note', id, text)),
    two: app.task('two', (failed: FailedTask, error: Error) => note('two', failed.id, error)),
    three: app.task('three', (failed: FailedTask, error: Error, traceback: string) =>
      note('three', failed.task, error, traceback),
    ),
    plain: app.task('plain', (text: string) => note('plain', text)),
  }
}

let bench: Bench
let made: ReturnType<typeof tasks>
beforeAll(async () => {
  bench = await setup((app) => (made = tasks(app)))
  await bench.worker.start()
})
beforeEach(() => void (noted.length = 0))
afterAll(() => bench.end())

const until = async (count: number): Promise<void> => {
  const end = Date.now() + 5000
  while (noted.length < count) {
    if (Date.now() > end) throw new Error(`${noted.length} error callbacks ran, not ${count}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

it('get the id, or (request, error, traceback), or nothing', async () => {
  const { boom, id, withNote, two, three, plain } = made
  const failed = await boom
    .s(1)
    .linkError(id.s())
    .linkError(withNote.s('urgent'))
    .linkError(two.s())
    .linkError(three.s())
    .linkError(plain.si('own'))
    .linkError(chain(id.s(), plain.si('after')))
    .delay()
  await until(7)

  const error = expect.any(RemoteError)
  expect(noted).toHaveLength(7)
  expect(noted).toEqual(
    expect.arrayContaining([
      ['id', failed.id],
      ['note', failed.id, 'urgent'],
      ['two', failed.id, error],
      ['three', 'boom', error, expect.stringContaining('boom')],
      ['plain', 'own'],
      ['plain', 'after'],
    ]),
  )
})

it('of a group run for each member that fails', async () => {
  const { boom, id } = made
  const sent = await group(boom.s(1), boom.s(2)).linkError(id.s()).delay()
  await until(2)

  expect(noted).toHaveLength(2)
  expect(noted).toEqual(expect.arrayContaining(sent.results.map((one) => ['id', one.id])))
})
