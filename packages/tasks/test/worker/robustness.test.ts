/** Broken declarations, hostile values and outages harm one task at most, and nobody waits for ever. */
import { afterEach, describe, expect, it } from '@jest/globals'
import {
  chain,
  chainOf,
  chord,
  TasksError,
  type AppOptions,
  type Celeriac,
  type TaskOptions,
} from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

const timeout = 8
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const never = (): Promise<void> => new Promise(() => undefined)

async function started<T>(
  define: (app: Celeriac) => T,
  options?: AppOptions,
  concurrency?: number,
) {
  let made!: T
  bench = await setup((app) => void (made = define(app)), options, concurrency)
  await bench.worker.start()
  return made
}

/** A store that is away until it is told otherwise. */
async function outage(app: Celeriac, method: 'read' | 'store') {
  const backend = await app.backend()
  const real = backend[method].bind(backend) as (...args: never[]) => Promise<never>
  const state = { isAway: true, asked: 0 }
  Object.assign(backend, {
    [method]: async (...args: never[]) => {
      state.asked++
      if (state.isAway) throw new TasksError('TASKS_BACKEND_FAILED', 'away')
      return await real(...args)
    },
  })
  return state
}

describe('a task that cannot even be judged', () => {
  const broken = (): never => {
    throw new Error('the test broke')
  }
  const hostile = new Proxy({}, { get: broken, has: broken, getPrototypeOf: broken })
  const cases: readonly [string, TaskOptions, () => unknown, string][] = [
    ['a test in throws throws', { throws: [broken] }, () => Promise.reject(new Error('x')), 'x'],
    [
      'a test in autoretryFor throws',
      { autoretryFor: [broken] },
      () => Promise.reject(new Error('x')),
      'x',
    ],
    ['what it throws cannot be looked at', {}, () => Promise.reject(hostile), 'the test broke'],
  ]
  it.each(cases)('fails alone when %s', async (_what, options, run, message) => {
    const [bad, good] = await started(
      (app) => [app.task('bad', options, run), app.task('good', () => 1)] as const,
      {},
      1,
    )

    const failed = await bad.delay()
    await expect(failed.get({ timeout })).rejects.toThrow(message)
    expect(await (await good.delay()).get({ timeout })).toBe(1)
    await pause(20)
    expect(bench!.worker.active).toHaveLength(0)
  })

  it.each([
    ['eta', '2030-01-01'],
    ['eta', new Date(NaN)],
    ['countdown', NaN],
    ['args', 5],
    ['kwargs', 'x'],
  ])('is told that a retry cannot have the %s %s', async (name, value) => {
    const task = await started((app) =>
      app.task('again', function () {
        throw this.retry({ [name]: value })
      }),
    )

    await expect((await task.delay()).get({ timeout })).rejects.toThrow(name)
  })
})

describe('what is sent', () => {
  it.each([
    ['priority', { priority: 'high' }],
    ['priority', { priority: NaN }],
    ['priority', { priority: 1.5 }],
    ['headers', { headers: 5 }],
    ['timeLimit', { timeLimit: 'x' }],
    ['taskId', { taskId: 5 }],
    ['list', { args: 'ab' }],
  ])(
    'is refused when its %s cannot be read: %j',
    async (name, { args = [1], ...options }: object & { args?: unknown }) => {
      bench = await setup(() => undefined)
      const task = bench.app.task('t', (n: number) => n)
      const sending = task.applyAsync(args as [number], options as never)

      await expect(sending).rejects.toMatchObject({
        code: 'TASKS_ARGUMENTS_INVALID',
        message: expect.stringContaining(name),
      })
    },
  )

  it('must be a signature, and items a list', async () => {
    bench = await setup(() => undefined)
    const { app } = bench
    const task = app.task('t', (n: number) => n)
    const refused = { code: 'TASKS_SIGNATURE_INVALID' }

    await expect(app.send(undefined as never)).rejects.toMatchObject(refused)
    await expect(app.sendMany([5 as never])).rejects.toMatchObject(refused)
    await expect(app.apply(null as never)).rejects.toMatchObject(refused)
    expect(() => task.map(5 as never)).toThrow(
      expect.objectContaining({ code: 'TASKS_ARGUMENTS_INVALID' }),
    )
  })
})

describe('a declaration', () => {
  it.each([
    { autoretryFor: Error },
    { throws: [5] },
    { args: {} },
    { after: 1 },
    { redact: { args: 'pw' } },
    { unique: { mode: 'most' } },
    { unique: { key: 'id' } },
    { unique: { for: NaN } },
  ])('is refused with %j', async (options) => {
    bench = await setup(() => undefined)
    const declare = () => bench!.app.task('t', options as unknown as TaskOptions, () => 1)

    expect(declare).toThrow(expect.objectContaining({ code: 'TASKS_ARGUMENTS_INVALID' }))
    expect(declare).toThrow(Object.keys(options)[0])
  })
})

describe('the key of a unique task', () => {
  const isFree = async (send: () => Promise<unknown>): Promise<boolean> => {
    for (let i = 0; i < 60; i++) {
      try {
        await send()
        return true
      } catch {
        await pause(100)
      }
    }
    return false
  }

  it('is free again after the hard time limit of one that never returns', async () => {
    const hang = await started((app) =>
      app.task('hang', { unique: {}, timeLimit: 0.2 }, async () => await never()),
    )
    const result = await hang.delay()

    await expect(result.get({ timeout })).rejects.toMatchObject({ excType: 'TimeLimitExceeded' })
    expect(await isFree(() => hang.delay())).toBe(true)
  })

  it('is free again when the task was revoked or had expired before it ran', async () => {
    const once = await started((app) =>
      app.task('once', { unique: { key: ['n'] } }, (n: number) => n),
    )
    const revoked = await once.applyAsync([1], { countdown: 0.3 })
    bench!.worker.revoke(revoked.id)
    const expired = await once.applyAsync([2], { countdown: 0.3, expires: 0.1 })
    await expect(revoked.get({ timeout })).rejects.toThrow('revoked')
    await expect(expired.get({ timeout })).rejects.toThrow('expired')

    expect(await isFree(() => once.delay(1))).toBe(true)
    expect(await isFree(() => once.delay(2))).toBe(true)
  })

  it('is free before anybody can know of the end', async () => {
    const [once, boom] = await started((app) => [
      app.task('once', { unique: {} }, () => 1),
      app.task('boom', { unique: {} }, (): number => {
        throw new Error('boom')
      }),
    ])
    for (let i = 0; i < 30; i++) {
      expect(await (await once!.delay()).get({ timeout })).toBe(1)
      await expect((await boom!.delay()).get({ timeout })).rejects.toThrow('boom')
    }
  })

  it('is short, and shows no secret', async () => {
    const [long, secret] = await started((app) => [
      app.task('long', { unique: {} }, (_text: string) => 1),
      app.task('secret', { unique: {}, redact: { args: true } }, (_text: string) => 1),
    ])
    const keys: string[] = []
    bench!.app.signals.on('beforeTaskPublish', ({ headers }) => {
      keys.push(String(headers['celeriac-unique']))
    })
    const one = await long!.delay('x'.repeat(500_000))
    const two = await secret!.delay('hunter2')

    expect([await one.get({ timeout }), await two.get({ timeout })]).toEqual([1, 1])
    expect(keys.every((key) => /^sha256:[0-9a-f]{64}$/.test(key))).toBe(true)
  })

  it('is not shared by a batch: one id of a whole batch', async () => {
    bench = await setup(() => undefined)
    const task = bench.app.task('t', (n: number) => n)

    await expect(task.applyAsyncMany([[1], [2]], { taskId: 'one' })).rejects.toMatchObject({
      code: 'TASKS_ARGUMENTS_INVALID',
    })
  })

  it('tells how many of a batch were sent before one was refused', async () => {
    bench = await setup(() => undefined)
    const once = bench.app.task('once', { unique: {} }, (n: number) => n)
    await once.delay(3)

    await expect(once.applyAsyncMany([[1], [2], [3], [4]])).rejects.toMatchObject({
      code: 'TASKS_DUPLICATE',
      sent: 2,
    })
  })
})

describe('hooks and error callbacks that never end', () => {
  it('have the time limit, and give their place back', async () => {
    const [slow, boom, note, good] = await started(
      (app) =>
        [
          app.task('slow', { timeLimit: 0.2, after: never }, () => 1),
          app.task('boom', () => Promise.reject(new Error('boom'))),
          app.task('note', { timeLimit: 0.2 }, async (_a: unknown, _b: unknown) => await never()),
          app.task('good', () => 1),
        ] as const,
      {},
      1,
    )
    await slow.delay()
    await boom.applyAsync([], { linkError: note.s() as never })

    expect(await (await good.delay()).get({ timeout })).toBe(1)
  })
})

describe('while the store of results is away', () => {
  it('a worker ends all the same', async () => {
    const add = await started((app) => app.task('add', (x: number, y: number) => x + y))
    await outage(bench!.app, 'store')
    await add.delay(1, 2)
    await pause(200)
    const startedMs = Date.now()
    await bench!.worker.stop(0.2)

    expect(bench!.worker.state).toBe('stopped')
    expect(Date.now() - startedMs).toBeLessThan(9000)
  }, 20_000)

  it('what was kept of a workflow waits for it', async () => {
    const add = await started((app) => app.task('add', (x: number, y: number) => x + y), {
      taskCanvasMaxBytes: 1024,
    })
    const store = await outage(bench!.app, 'read')
    const { id } = await chain(
      add.s(0, 1),
      chainOf(Array.from({ length: 30 }, () => add.s(1))),
    ).delay()
    while (store.asked === 0) await pause(10)
    store.isAway = false

    expect(await (await bench!.app.result(id)).get({ timeout })).toBe(31)
  }, 20_000)

  it('who looks for the end of a chord looks again', async () => {
    const [add, size] = await started(
      (app) =>
        [
          app.task('add', (x: number, y: number) => x + y),
          app.task('size', (xs: readonly number[]) => xs.length),
        ] as const,
      { resultChordRetryInterval: 0.05 },
    )
    const backend = await bench!.app.backend()
    Object.assign(backend.capabilities, { joins: 'poll' })
    const store = await outage(bench!.app, 'read')
    const { id } = await chord([add.s(1, 1), add.s(2, 2)], size.s()).delay()
    while (store.asked === 0) await pause(10)
    store.isAway = false

    expect(await (await bench!.app.result(id)).get({ timeout })).toBe(2)
  }, 20_000)
})

describe('a failed member of a chord', () => {
  it('fails its body, also when its error callback can never be sent', async () => {
    const [boom, note, size] = await started(
      (app) =>
        [
          app.task('boom', (): number => {
            throw new RangeError('boom')
          }),
          app.task('note', (_id: string) => 1),
          app.task('size', (xs: readonly number[]) => xs.length),
        ] as const,
      { taskCreateMissingQueues: false },
    )
    const errback = note.s().set({ queue: 'nowhere' })
    const result = await chord([boom.s().linkError(errback)], size.s()).delay()

    await expect(result.get({ timeout })).rejects.toMatchObject({ excType: 'ChordError' })
  })
})
