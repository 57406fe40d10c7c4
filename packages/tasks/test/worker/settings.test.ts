/** What settings and listeners of the app change about tasks and hear of workers. */
import { afterEach, describe, expect, it } from '@jest/globals'
import { Reject, type Celeriac } from '@celeriac/tasks'
import { beatEntries } from '@celeriac/tasks/internal'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

const timeout = 5
const until = async (isDone: () => boolean | Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 500 && !(await isDone()); i++)
    await new Promise((resolve) => setTimeout(resolve, 10))
}

describe('taskAnnotations', () => {
  it('change attributes of tasks, by name before those of all', async () => {
    let tasks!: ReturnType<typeof define>
    const define = (app: Celeriac) => ({
      quiet: app.task('quiet', () => 1),
      tried: app.task('tried', { maxRetries: 9 }, function () {
        if (this.request.retries < 5) throw this.retry({ countdown: 0 })
        return this.request.retries
      }),
    })
    bench = await setup((app) => void (tasks = define(app)), {
      taskAnnotations: [
        { quiet: { ignore_result: true } },
        { '*': { max_retries: 1, priority: 4 } },
      ],
    })
    const headers: Record<string, unknown>[] = []
    bench.app.signals.on('beforeTaskPublish', (told) =>
      headers.push({ ...told.headers, ...told.properties }),
    )
    await bench.worker.start()
    const result = await tasks.tried.delay()

    await expect(result.get({ timeout })).rejects.toMatchObject({ code: 'TASKS_MAX_RETRIES' })
    await tasks.quiet.delay()
    expect(headers.at(-1)).toMatchObject({ ignore_result: true, priority: 4 })
  })

  it('are refused when no task has such an attribute', async () => {
    await expect(
      setup((app) => void app.task('any', () => 1), { taskAnnotations: { any: { rate: 1 } } }),
    ).rejects.toThrow(/unknown option 'rate'/)
  })
})

describe('overrideBackends', () => {
  it('takes classes and modules by the scheme of their URL', async () => {
    const { MemoryBackend } = await import('../../src/backends/memory.ts')
    class Mine extends MemoryBackend {}
    bench = await setup((app) => void app.task('one', () => 1), {
      backend: 'mine://here',
      overrideBackends: { mine: Mine, wrong: 7 },
    })
    await bench.worker.start()

    expect(await bench.app.backend()).toBeInstanceOf(Mine)
    const result = await bench.app.sendTask('one')
    expect(await result.get({ timeout })).toBe(1)
    const other = await setup(() => undefined, {
      backend: 'wrong://',
      overrideBackends: { wrong: 7 },
    })
    await expect(other.app.backend()).rejects.toMatchObject({ code: 'TASKS_CONFIG_INVALID' })
    await other.end()
  })
})

describe('signals of the app', () => {
  it('tell of its life and of its workers', async () => {
    const told: string[] = []
    bench = await setup((app) => {
      app.task('reject', () => {
        throw new Reject('no')
      })
      app.signals.on('onConfigure', () => told.push('onConfigure'))
      app.signals.on('onAfterConfigure', ({ config }) =>
        told.push(`onAfterConfigure ${String(config['taskDefaultQueue'])}`),
      )
      app.signals.on('onAfterFinalize', ({ tasks }) =>
        told.push(`onAfterFinalize ${tasks.includes('reject')}`),
      )
      for (const name of ['workerInit', 'workerReady', 'workerStopping', 'workerStopped'] as const)
        app.signals.on(name, () => told.push(name))
      app.signals.on('taskRejected', ({ task, requeue }) =>
        told.push(`taskRejected ${task} ${requeue}`),
      )
      app.signals.on('taskUnknown', ({ task }) => told.push(`taskUnknown ${task}`))
    })
    await bench.worker.start()
    await bench.app.sendTask('reject')
    await bench.app.sendTask('nobody')
    await until(() => told.some((one) => one.startsWith('taskUnknown')))
    await until(() => told.some((one) => one.startsWith('taskRejected')))
    await bench.worker.stop(1)

    expect(told.slice(0, 5)).toEqual([
      'onConfigure',
      'onAfterConfigure celery',
      'onAfterFinalize true',
      'workerInit',
      'workerReady',
    ])
    expect(told.slice(5, 7).toSorted()).toEqual(['taskRejected reject false', 'taskUnknown nobody'])
    expect(told.slice(7)).toEqual(['workerStopping', 'workerStopped'])
  })
})

describe('an abort', () => {
  it('is seen by the task that asks for it', async () => {
    let long!: ReturnType<typeof define>
    const define = (app: Celeriac) =>
      app.task('long', async function () {
        for (let i = 0; i < 500; i++) {
          if (await this.isAborted()) return 'aborted'
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
        return 'ended'
      })
    bench = await setup((app) => void (long = define(app)))
    await bench.worker.start()
    const { id } = await long.delay()
    const result = await long.asyncResult(id)
    await result.abort()

    expect(await result.isAborted()).toBe(true)
    expect(await result.get({ timeout })).toBe('aborted')
  })
})

describe('beat', () => {
  it('has results removed every day where they do not go by themselves', async () => {
    bench = await setup(() => undefined, { backend: 'file:///tmp/celeriac-no-results-here' })
    expect((await beatEntries(bench.app)).map(({ name }) => name)).toContain(
      'celery.backend_cleanup',
    )
    await bench.end()

    bench = await setup(() => undefined)
    expect(await beatEntries(bench.app)).toEqual([])
  })
})
