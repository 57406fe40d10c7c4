// Our client and a Python Celery worker: what we send is run there, and what it stores is what we read. On
// both brokers, results on Redis.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import {
  chain,
  chord,
  group,
  groupOf,
  kw,
  RemoteError,
  TaskRevokedError,
  TimeoutError,
  type Celeriac,
} from '@celeriac/tasks'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { PythonWorker } from '../fixtures/python.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

interface About {
  readonly lang: string
  readonly rootId: string
  readonly parentId: string | null
  readonly groupId: string | null
  readonly args: readonly unknown[]
  readonly kwargs: object
}

function tasksOf(app: Celeriac) {
  return {
    add: app.remote<(x: number, y: number) => number>('py.add'),
    echo: app.remote<(value: unknown) => unknown>('py.echo'),
    nothing: app.remote<() => null>('py.nothing'),
    named: app.remote<(a: number, options: { b?: number; debug?: boolean }) => unknown>('py.named'),
    total: app.remote<(values: readonly number[]) => number>('py.total'),
    list: app.remote<(values: readonly number[]) => number[]>('py.list'),
    id: app.remote<(id: string) => string>('py.id'),
    fail: app.remote<(kind: string, message: string) => number>('py.fail'),
    flaky: app.remote<(times: number) => number>('py.flaky'),
    headers: app.remote<() => Record<string, unknown>>('py.headers'),
    about: app.remote<() => About>('py.about'),
    parent: app.remote<(x: number) => string>('py.parent'),
    clock: app.remote<() => number>('py.clock'),
    progress: app.remote<(ms: number) => string>('py.progress'),
    wait: app.remote<(ms: number) => number>('py.wait'),
    sequence: app.remote<() => number>('py.sequence'),
    unknown: app.remote<() => void>('py.no_such_task'),
  }
}

const soon = { timeout: 20 }

for (const broker of ['redis', 'rabbitmq'] as const) {
  describeWith([broker, 'redis', 'python'], `we call a Python worker through ${broker}`, () => {
    let queue: string
    let app: Celeriac
    let py: ReturnType<typeof tasksOf>
    let worker: PythonWorker

    beforeAll(async () => {
      queue = uniqueName('js-py')
      const common = { broker: urlOf(broker), backend: urlOf('redis'), queue }
      app = quietApp({ broker: common.broker, backend: common.backend, taskDefaultQueue: queue })
      py = tasksOf(app)
      worker = await PythonWorker.start({ ...common, settings: { result_extended: true } })
    })

    afterAll(async () => {
      await worker?.stop()
      await app.close()
      await removeQueues(urlOf(broker), [queue])
    })

    it('gets the result of a call', async () => {
      const result = await py.add.delay(2, 3)

      expect(await result.get(soon)).toBe(5)
      expect(await result.state).toBe('SUCCESS')
      expect(await result.successful()).toBe(true)
    })

    it('passes keyword arguments with kw()', async () => {
      const result = await py.named.delay(1, kw({ b: 2, debug: true }))

      expect(await result.get(soon)).toEqual({ a: 1, b: 2, rest: { debug: true } })
    })

    it.each([
      ['null', null],
      ['true', true],
      ['an integer', 42],
      ['a fraction', 2.5],
      ['a huge integer', 2n ** 70n],
      ['an integer beyond doubles', 9007199254740993n],
      ['text', 'hello'],
      ['unicode', 'zażółć 日本語 🐇 \u2028 \u0000'],
      ['a list', [1, [2, [3, []]], {}]],
      ['a mapping', { a: { b: [null, true, { c: 'd' }] }, '': 0 }],
      ['a date', new Date(Date.UTC(2026, 2, 29, 1, 30, 15, 123))],
      ['bytes', new Uint8Array([0, 200, 255, 1])],
    ])('gets %s back as it was sent', async (_name, value) => {
      expect(await (await py.echo.delay(value)).get(soon)).toEqual(value)
    })

    it('gets None as null', async () => {
      expect(await (await py.nothing.delay()).get(soon)).toBeNull()
    })

    it.each([
      ['ValueError', 'builtins'],
      ['PaymentDeclined', 'pyproj'],
    ])(
      'throws a raised %s as a RemoteError with its name, arguments and traceback',
      async (type, module) => {
        const result = await py.fail.delay(type, 'no good: 7')

        const error = await result.get(soon).then(
          () => undefined,
          (thrown: unknown) => thrown,
        )

        expect(error).toBeInstanceOf(RemoteError)
        expect(error).toMatchObject({ excType: type, excModule: module, args: ['no good: 7'] })
        expect((error as RemoteError).traceback).toContain('pyproj.py')
        expect(await result.traceback()).toContain(type)
        expect(await result.state).toBe('FAILURE')
        expect(await result.failed()).toBe(true)
      },
    )

    it('gets the result of a task that retries there', async () => {
      expect(await (await py.flaky.delay(2)).get(soon)).toBe(2)
    })

    it('has a countdown waited for', async () => {
      const before = Date.now() / 1000

      const at = await (await py.clock.applyAsync([], { countdown: 1 })).get(soon)

      expect(at - before).toBeGreaterThan(0.95)
      expect(at - before).toBeLessThan(4)
    })

    it('has an eta waited for', async () => {
      const eta = new Date(Date.now() + 1000)

      const at = await (await py.clock.applyAsync([], { eta })).get(soon)

      expect(at - eta.getTime() / 1000).toBeGreaterThan(-0.05)
      expect(at - eta.getTime() / 1000).toBeLessThan(3)
    })

    it('throws TaskRevokedError for what has expired', async () => {
      const result = await py.clock.applyAsync([], { countdown: 1.5, expires: 0.5 })

      await expect(result.get(soon)).rejects.toThrow(TaskRevokedError)
      await expect(result.get(soon)).rejects.toMatchObject({ reason: 'expired' })
      expect(await result.state).toBe('REVOKED')
    })

    it('finds nothing stored when it ignores the result', async () => {
      const ignored = await py.add.applyAsync([1, 1], { ignoreResult: true })
      await Promise.all([1, 2, 3].map(async () => (await py.add.delay(1, 1)).get(soon)))

      expect(await ignored.state).toBe('PENDING')
    })

    it('throws NotRegistered for a task nobody there knows', async () => {
      const result = await py.unknown.delay()

      await expect(result.get(soon)).rejects.toMatchObject({
        excType: 'NotRegistered',
        args: ['py.no_such_task'],
      })
    })

    it('runs a chain', async () => {
      const result = await chain(py.add.s(1, 2), py.add.s(10), py.add.s(100)).delay()

      expect(await result.get(soon)).toBe(113)
      expect(await result.parent!.get(soon)).toBe(13)
    })

    it('ends a chain with the error of the step that failed', async () => {
      const result = await chain(py.add.s(1, 2), py.fail.si('ValueError', 'x'), py.add.s(1)).delay()

      await expect(result.get(soon)).rejects.toMatchObject({ excType: 'ValueError', args: ['x'] })
    })

    it('runs a group', async () => {
      const result = await groupOf([1, 2, 3, 4].map((i) => py.add.s(i, i))).delay()

      expect(await result.get(soon)).toEqual([2, 4, 6, 8])
      expect(await result.completedCount()).toBe(4)
    })

    it('saves and restores a group, and forgets a result', async () => {
      const result = await group(py.add.s(1, 1), py.add.s(2, 2)).delay()
      await result.save()

      const restored = await app.restoreGroup(result.id)

      expect(await restored!.get(soon)).toEqual([2, 4])
      await restored!.forget()
      expect(await app.restoreGroup(result.id)).toBeUndefined()
      expect(await (result.results[0] as { state: Promise<string> }).state).toBe('PENDING')
    })

    it('runs a chord, its results in the order of the header', async () => {
      const header = [py.wait.s(200), py.wait.s(20), py.wait.s(100)]

      expect(await (await chord(header, py.list.s()).delay()).get(soon)).toEqual([200, 20, 100])
    })

    it('throws ChordError when a member of a chord fails', async () => {
      const header = [py.add.s(1, 1), py.fail.s('ValueError', 'member'), py.add.s(3, 3)]

      const result = await chord(header, py.total.s()).delay()

      await expect(result.get(soon)).rejects.toMatchObject({
        excType: 'ChordError',
        excModule: 'celery.exceptions',
        message: expect.stringMatching(/Dependency .* raised ValueError\('member'\)/),
      })
    })

    it('runs a chain into a group into a chord', async () => {
      const result = await chain(
        py.add.s(1, 2),
        group(py.add.s(10), py.add.s(20), py.add.s(30)),
        py.total.s(),
        group(py.add.s(1), py.add.s(2)),
        py.total.s(),
      ).delay()

      expect(await result.get(soon)).toBe(141)
    })

    it('runs a chord of chords', async () => {
      const inner = (x: number) => chord([py.add.s(x, 1), py.add.s(x, 2)], py.total.s())

      const result = await chord([inner(10), inner(20)], py.total.s()).delay()

      expect(await result.get(soon)).toBe(66)
    })

    it('runs map, starmap and chunks', async () => {
      expect(
        await (
          await py.add
            .starmap([
              [1, 1],
              [2, 2],
            ])
            .delay()
        ).get(soon),
      ).toEqual([2, 4])
      expect(await (await py.echo.map([1, 'a']).delay()).get(soon)).toEqual([1, 'a'])
      const chunks = await py.add
        .chunks(
          [
            [1, 1],
            [2, 2],
            [3, 3],
          ],
          2,
        )
        .delay()
      expect(await chunks.get(soon)).toEqual([[2, 4], [6]])
    })

    it('has linked tasks called with the result', async () => {
      const [first, second] = [randomUUID(), randomUUID()]
      const link = [py.add.s(100).set({ taskId: first }), py.add.s(200).set({ taskId: second })]

      await py.add.applyAsync([1, 2], { link })

      expect(await (await app.result(first)).get(soon)).toBe(103)
      expect(await (await app.result(second)).get(soon)).toBe(203)
    })

    it('has the error callback called with the id of what failed', async () => {
      const id = randomUUID()

      const failing = await py.fail.applyAsync(['ValueError', 'x'], {
        linkError: py.id.s().set({ taskId: id }),
      })

      expect(await (await app.result(id)).get(soon)).toBe(failing.id)
    })

    it('sends a compressed message', async () => {
      const text = 'compress me '.repeat(500)

      const result = await py.echo.applyAsync([text], { compression: 'gzip' })

      expect(await result.get(soon)).toBe(text)
    })

    it('sends own headers', async () => {
      const headers = { 'x-tenant': 'acme', 'x-number': 7 }

      const result = await py.headers.applyAsync([], { headers })

      expect(await result.get(soon)).toEqual(headers)
    })

    it('reads progress, children and the extended fields of a result', async () => {
      const running = await py.progress.delay(600)
      const progress: unknown[] = []
      const seen = running.get({ ...soon, onProgress: (record) => progress.push(record.result) })
      const parent = await py.parent.delay(4)
      const child = await parent.get(soon)

      expect(await seen).toBe('done')
      expect(progress).toContainEqual({ done: 3, of: 10 })
      expect((await parent.children()).map(({ id }) => id)).toEqual([child])
      expect(await (await parent.children())[0]!.get(soon)).toBe(5)
      expect(await parent.info()).toMatchObject({
        extended: { name: 'py.parent', args: [4], kwargs: {}, retries: 0, queue },
      })
    })

    it('forgets a result', async () => {
      const result = await py.add.delay(1, 1)
      await result.get(soon)

      await result.forget()

      expect(await result.state).toBe('PENDING')
    })

    it('throws TimeoutError when the result does not come in time', async () => {
      const result = await py.wait.delay(700)

      await expect(result.get({ timeout: 0.2 })).rejects.toThrow(TimeoutError)
      expect(await result.get(soon)).toBe(700)
    })

    it('keeps root, parent and group of a workflow', async () => {
      const last = await (await chain(py.about.s(), py.about.si()).delay()).get(soon)
      const members = await (await group(py.about.s(), py.about.s()).delay()).get(soon)

      expect(last.parentId).toBe(last.rootId)
      expect(members[0].groupId).toBeTruthy()
      expect(members[0].groupId).toBe(members[1].groupId)
    })
  })
}

describeWith(['redis', 'python'], 'our priorities through Redis', () => {
  it('are served lowest first by a Python worker', async () => {
    const queue = uniqueName('js-priority')
    const common = { broker: urlOf('redis'), backend: urlOf('redis') }
    await using app = quietApp({ ...common, taskDefaultQueue: queue })
    const py = tasksOf(app)
    const results = []
    for (const priority of [9, 6, 0, 3])
      results.push(await py.sequence.applyAsync([], { priority }))

    const worker = await PythonWorker.start({ ...common, queue, concurrency: 1, pool: 'solo' })

    try {
      const order = await Promise.all(results.map((result) => result.get(soon)))
      expect(order).toEqual([4, 3, 1, 2])
    } finally {
      await worker.stop()
      await removeQueues(urlOf('redis'), [queue])
    }
  })
})
