import { afterEach, describe, expect, it } from '@jest/globals'
import { chain, type Celeriac } from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

const timeout = 5

const makeAdd = (app: Celeriac) => app.task('add', (x: number, y: number) => x + y)

describe('tasks in every serializer', () => {
  it.each([
    ['json', undefined],
    ['json', 'zstd'],
    ['yaml', undefined],
    ['yaml', 'bzip2'],
    ['msgpack', undefined],
    ['msgpack', 'lzma'],
    ['pickle', undefined],
    ['pickle', 'zstandard'],
    ['pickle', 'brotli'],
  ])('%s, compression %s: run, with what follows them', async (serializer, compression) => {
    const seen: unknown[] = []
    let add!: ReturnType<typeof makeAdd>
    bench = await setup(
      (app) => {
        add = makeAdd(app)
        app.task('show', (value: unknown) => {
          seen.push(value)
          return value
        })
      },
      { taskSerializer: serializer, taskCompression: compression, acceptContent: [serializer] },
    )
    await bench.worker.start()
    const result = await chain(add.s(1, 2), add.s(4)).delay()
    expect(await result.get({ timeout })).toBe(7)

    const when = new Date('2024-02-29T12:30:45.123Z')
    const shown = await bench.app.sendTask('show', [{ when, text: 'é', list: [1, null] }])
    await shown.get({ timeout })
    expect(seen).toEqual([{ when, text: 'é', list: [1, null] }])
  })

  it('are refused where their content is not accepted, and parked', async () => {
    bench = await setup((app) => app.task('add', (x: number) => x), { taskSerializer: 'pickle' })
    await bench.worker.start()
    await bench.app.sendTask('add', [1])

    let parked = await bench.parked()
    for (let i = 0; parked.length === 0 && i < 100; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      parked = await bench.parked()
    }
    expect(parked).toHaveLength(1)
  })

  it('say which argument cannot be carried', async () => {
    bench = await setup((app) => app.task('add', (x: unknown) => x), { taskSerializer: 'yaml' })

    await expect(bench.app.sendTask('add', [{ deep: () => 1 }])).rejects.toMatchObject({
      code: 'TASKS_ARGUMENTS_INVALID',
      message: expect.stringContaining('yaml: [0][0].deep: a function cannot be sent'),
    })
  })
})
