// Results as messages between Python and us, on both brokers: values, failures, retries and progress arrive at
// whoever sent the task.
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { chain, RemoteError, TaskRevokedError, type Celeriac } from '@celeriac/tasks'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { PythonClient, PythonWorker } from '../fixtures/python.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

/** What a Python program that waits is told. */
interface Watched {
  readonly seen: readonly { readonly state: string; readonly info: unknown }[]
  readonly state: string
  readonly type: string
}

const soon = { timeout: 20 }
const backend = 'rpc://'

for (const broker of ['redis', 'rabbitmq'] as const) {
  describeWith([broker, 'python'], `Python gets our results as messages through ${broker}`, () => {
    const queue = uniqueName('rpc-py-js')
    let worker: OurWorker
    let python: PythonClient

    beforeAll(async () => {
      const common = { broker: urlOf(broker), backend, queue }
      ;[worker, python] = await Promise.all([OurWorker.start(common), PythonClient.start(common)])
    })

    afterAll(async () => {
      await Promise.all([worker?.stop(), python?.kill9()])
      await removeQueues(urlOf(broker), [queue])
    })

    it('a value', async () => {
      expect(await python.run({ task: 'js.add', args: [2, 3] })).toMatchObject({
        value: 5,
        state: 'SUCCESS',
        traceback: null,
      })
    })

    it('every kind of value', async () => {
      const answers = await python.call<Record<string, string>>('echoes', {
        task: 'js.echo',
        queue,
      })

      // Whole numbers are all the same here.
      expect({ ...answers, 'whole float': 'same' }).toEqual(
        Object.fromEntries(Object.keys(answers).map((name) => [name, 'same'])),
      )
    })

    it('a failure as the exception of its class', async () => {
      expect(await python.run({ task: 'js.fail', args: ['RangeError', 'no'] })).toMatchObject({
        state: 'FAILURE',
        error: { type: 'ValueError', module: 'builtins', args: ['no'] },
        traceback: expect.stringContaining('no'),
      })
    })

    it('a result after retries', async () => {
      expect(await python.run({ task: 'js.flaky', args: [2] })).toMatchObject({ value: 2 })
    })

    it('the state of a retry', async () => {
      const watched = await python.call<Watched>('watch', {
        signature: { task: 'js.stubborn' },
        queue,
      })

      expect(watched).toMatchObject({ state: 'FAILURE', type: 'ValueError' })
      expect(watched.seen.map(({ state }) => state)).toEqual(['RETRY', 'FAILURE'])
    })

    it('progress', async () => {
      const watched = await python.call<Watched>('watch', {
        signature: { task: 'js.progress', args: [300] },
        queue,
      })

      expect(watched.seen).toEqual([
        { state: 'PROGRESS', info: { done: 3, of: 10 } },
        { state: 'SUCCESS', info: 'done' },
      ])
    })

    it('the revocation of what has expired', async () => {
      const options = { countdown: 1, expires: 0.3 }

      expect(await python.run({ task: 'js.clock' }, options)).toMatchObject({
        state: 'REVOKED',
        error: { type: 'TaskRevokedError' },
      })
    })

    it('a chain, and the failure of its last step when one before it failed', async () => {
      const add = (...args: number[]) => ({ task: 'js.add', args })
      const fail = { task: 'js.fail', args: ['RangeError', 'x'], immutable: true }

      expect(await python.run({ chain: [add(1, 2), add(10), add(100)] })).toMatchObject({
        value: 113,
      })
      expect(await python.run({ chain: [add(1, 2), fail, add(100)] })).toMatchObject({
        error: { type: 'ValueError', args: ['x'] },
      })
    })

    it('many', async () => {
      const pairs = Array.from({ length: 200 }, (_, i) => [i, i])
      const ids = await python.call<string[]>('send_many', {
        task: 'js.add',
        argument_lists: pairs,
        queue,
      })

      expect(await python.call('get_many', { ids })).toEqual(pairs.map(([x]) => 2 * x!))
    })
  })

  describeWith([broker, 'python'], `we get Python's results as messages through ${broker}`, () => {
    const queue = uniqueName('rpc-js-py')
    let worker: PythonWorker
    let app: Celeriac

    beforeAll(async () => {
      const common = { broker: urlOf(broker), backend }
      app = quietApp({ ...common, taskDefaultQueue: queue })
      worker = await PythonWorker.start({ ...common, queue })
    })

    afterAll(async () => {
      await worker?.stop()
      await app?.close()
      await removeQueues(urlOf(broker), [queue])
    })

    const remote = <F extends (...args: never[]) => unknown>(name: string) =>
      app.remote<F>(`py.${name}`)

    it('a value', async () => {
      const result = await remote<(x: number, y: number) => number>('add').delay(2, 3)

      expect(await result.get(soon)).toBe(5)
      expect(await result.state).toBe('SUCCESS')
      expect(await result.get()).toBe(5)
    })

    it.each([
      ['ValueError', 'builtins'],
      ['PaymentDeclined', 'pyproj'],
    ])('a %s as a RemoteError', async (type, module) => {
      const result = await remote<(kind: string, message: string) => void>('fail').delay(type, 'no')

      const error = await result.get(soon).catch((thrown: unknown) => thrown)

      expect(error).toBeInstanceOf(RemoteError)
      expect(error).toMatchObject({ excType: type, excModule: module, args: ['no'] })
      expect((error as RemoteError).traceback).toContain('pyproj.py')
      expect(await result.state).toBe('FAILURE')
    })

    it('progress, and the state of a retry', async () => {
      const running = await remote<(ms: number) => string>('progress').delay(500)
      const flaky = await remote<(times: number) => number>('flaky').delay(2)
      const progress: unknown[] = []
      const states: string[] = []

      const values = await Promise.all([
        running.get({ ...soon, onProgress: (record) => progress.push(record.result) }),
        flaky.get({ ...soon, onProgress: (record) => states.push(record.status) }),
      ])

      expect(values).toEqual(['done', 2])
      expect(progress).toContainEqual({ done: 3, of: 10 })
      expect(states).toContain('RETRY')
    })

    it('the revocation of what has expired', async () => {
      const result = await remote<() => number>('clock').applyAsync([], {
        countdown: 1,
        expires: 0.3,
      })

      await expect(result.get(soon)).rejects.toThrow(TaskRevokedError)
    })

    it('a chain, and the failure of its last step when one before it failed', async () => {
      const add = remote<(x: number, y: number) => number>('add')
      const fail = remote<(kind: string, message: string) => number>('fail')

      const good = await chain(add.s(1, 2), add.s(10)).delay()
      const bad = await chain(add.s(1, 2), fail.si('ValueError', 'x'), add.s(1)).delay()

      expect(await good.get(soon)).toBe(13)
      expect(await good.parent!.get(soon)).toBe(3)
      await expect(bad.get(soon)).rejects.toMatchObject({ excType: 'ValueError' })
    })

    it('many', async () => {
      const add = remote<(x: number, y: number) => number>('add')
      const results = await Promise.all(Array.from({ length: 200 }, (_, i) => add.delay(i, i)))

      expect(await Promise.all(results.map((one) => one.get(soon)))).toEqual(
        Array.from({ length: 200 }, (_, i) => 2 * i),
      )
    })
  })
}
