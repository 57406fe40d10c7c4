/** Headers that were saved as groups with groups in them, as Python does: joined from the records of their members. */
import { afterEach, expect, it } from '@jest/globals'
import { RemoteError, type Settings } from '@celeriac/tasks'
import { counting } from '@celeriac/tasks/testing'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

type Data = { readonly data: object }

/** A chord of a, b and c whose size says that it is complete with two of them: a and b have run. */
async function joined(settings: Partial<Settings> = {}) {
  let bodies = 0
  let tasks!: { echo: { s(value: unknown): object }; total: { s(): object } }
  bench = await setup((app) => {
    tasks = {
      echo: app.task('echo', (value: unknown) => value),
      total: app.task('total', (values: unknown) => [++bodies, values]),
    } as never
  }, settings)
  const { app, worker } = bench
  const backend = counting(await app.backend())
  const leaf = (id: string) => [[id, null], null] as const
  await backend.startCountdown('header', [leaf('a'), leaf('b')])
  await backend.storeGroup('header', [
    ['header', null],
    [
      leaf('a'),
      [
        ['inner', null],
        [leaf('b'), leaf('c')],
      ],
    ],
  ])
  const made = (signature: object, options: object) =>
    (signature as { set(options: object): unknown }).set(options) as Data & {
      delay(): Promise<unknown>
    }
  const chord = made(tasks.total.s(), { taskId: 'body' }).data
  await worker.start()
  for (const [groupIndex, taskId] of ['a', 'b'].entries()) {
    const options = { taskId, groupId: 'header', groupIndex, chord }
    await made(tasks.echo.s(taskId), options).delay()
  }
  const store = async (status: string, result: unknown): Promise<void> => {
    const record = { taskId: 'c', status, result, traceback: null, children: [], dateDone: null }
    await backend.store([{ id: 'c', state: status, data: backend.encode(record) }])
  }
  return { store, body: await app.result('body') }
}

it('waits for members that have not ended', async () => {
  const { store, body } = await joined()
  await new Promise((resolve) => setTimeout(resolve, 150))
  expect(await body.ready()).toBe(false)

  await store('SUCCESS', 'c')

  expect(await body.get({ timeout: 5 })).toEqual([1, ['a', ['b', 'c']]])
})

it('fails with a member that fails meanwhile', async () => {
  const { store, body } = await joined()

  await store('FAILURE', { exc_type: 'ValueError', exc_message: ['no'], exc_module: 'builtins' })

  const error = await body.get({ timeout: 5 }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(RemoteError)
  expect(error).toMatchObject({
    excType: 'ChordError',
    args: ["Dependency c raised ValueError('no')"],
  })
})

it('fails when a member does not end in time', async () => {
  const { body } = await joined({ resultChordJoinTimeout: 0.1 })

  await expect(body.get({ timeout: 5 })).rejects.toMatchObject({
    excType: 'ChordError',
    args: ['Join error: c did not end within 0.1 s'],
  })
})
