// Everything a handle of a result can do, with Python at the other end: errors both ways, states, trees of tasks,
// revokes. On both brokers, results on Redis.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  createWorker,
  GroupResult,
  group,
  groupOf,
  registerError,
  RemoteError,
  resultFromTuple,
  SoftTimeLimitExceeded,
  TaskRevokedError,
  type Celeriac,
  type Worker,
} from '@celeriac/tasks'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { PythonClient, PythonWorker } from '../fixtures/python.ts'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const soon = { timeout: 20 }

/** Python's class of this name is made with both. */
class PaymentRefused extends Error {
  readonly order: string
  readonly amount: number

  constructor(order: string, amount: number) {
    super(`${order}: ${String(amount)}`)
    this.name = 'PaymentRefused'
    this.order = order
    this.amount = amount
  }
}

class OutOfStock extends Error {
  readonly code = 'E_STOCK'
}

registerError(PaymentRefused, {
  module: 'pyproj',
  args: ({ order, amount }) => [order, amount],
  revive: ({ args: [order, amount] }) => new PaymentRefused(String(order), Number(amount)),
})

async function thrownBy(result: { get(options: object): Promise<unknown> }): Promise<unknown> {
  return await result.get(soon).then(
    () => undefined,
    (error: unknown) => error,
  )
}

for (const broker of ['redis', 'rabbitmq'] as const) {
  describeWith([broker, 'redis', 'python'], `results of Python through ${broker}`, () => {
    const queue = uniqueName('results')
    let app: Celeriac
    let worker: PythonWorker
    let py: ReturnType<typeof tasksOf>

    function tasksOf(one: Celeriac) {
      return {
        add: one.remote<(x: number, y: number) => number>('py.add'),
        raise: one.remote<(kind: string) => number>('results.raise'),
        steps: one.remote<(count: number) => number>('results.steps'),
        tree: one.remote<(size: number) => string>('results.tree'),
        wait: one.remote<(ms: number) => number>('py.wait'),
      }
    }

    beforeAll(async () => {
      const common = { broker: urlOf(broker), backend: urlOf('redis'), queue }
      app = quietApp({ broker: common.broker, backend: common.backend, taskDefaultQueue: queue })
      py = tasksOf(app)
      const settings = { result_extended: true, task_track_started: true }
      worker = await PythonWorker.start({ ...common, settings })
    })

    afterAll(async () => {
      await worker?.stop()
      await app.close()
      await removeQueues(urlOf(broker), [queue])
    })

    it('throws its exceptions with their class and all arguments', async () => {
      const several = await thrownBy(await py.raise.delay('several'))
      const key = await thrownBy(await py.raise.delay('key'))

      expect(several).toBeInstanceOf(RemoteError)
      expect(several).toMatchObject({
        excType: 'ValueError',
        excModule: 'builtins',
        args: ['x', 3],
        message: "ValueError: ('x', 3)",
      })
      expect(key).toMatchObject({ excType: 'KeyError', args: ['missing'] })
      expect((key as RemoteError).traceback).toContain('pyproj.py')
    })

    it('throws an instance of our class where that is registered', async () => {
      const error = await thrownBy(await py.raise.delay('custom'))

      expect(error).toBeInstanceOf(PaymentRefused)
      expect(error).toBeInstanceOf(RemoteError)
      expect(error).toMatchObject({ order: 'o-1', amount: 9.5, excModule: 'pyproj' })
    })

    it('tells what an exception was raised from', async () => {
      const error = await thrownBy(await py.raise.delay('chained'))

      expect(error).toBeInstanceOf(PaymentRefused)
      expect((error as Error).cause).toMatchObject({ excType: 'KeyError', args: ["'inner'"] })
      expect(RemoteError.of(error)?.traceback).toContain('direct cause')
    })

    it('throws SoftTimeLimitExceeded', async () => {
      const error = await thrownBy(await py.wait.applyAsync([20_000], { softTimeLimit: 1 }))

      expect(error).toBeInstanceOf(SoftTimeLimitExceeded)
      expect(error).toMatchObject({ excModule: 'billiard.exceptions' })
    })

    it('gives every state of update_state once and in order', async () => {
      const result = await py.steps.delay(50)
      const seen: (readonly [string, unknown])[] = []
      for await (const { state, meta } of result.progress(soon)) seen.push([state, meta])

      const steps = seen.filter(([state]) => state === 'PROGRESS')
      // Those that were stored before anybody looked are not kept by the store.
      const first = (steps[0]![1] as { n: number }).n
      const expected = Array.from({ length: 50 - first }, (_, i) => ['PROGRESS', { n: first + i }])
      expect(steps).toEqual(expected)
      expect(seen.at(-1)).toEqual(['SUCCESS', 50])
    })

    it('knows everything the extended record has, and when it ended', async () => {
      const result = await py.add.delay(1, 2)
      await result.get(soon)

      expect(await result.name()).toBe('py.add')
      expect([await result.args(), await result.kwargs()]).toEqual([[1, 2], {}])
      expect([await result.retries(), await result.queue()]).toEqual([0, queue])
      expect(await result.worker()).toMatch(/@/)
      expect(Math.abs((await result.dateDone())!.getTime() - Date.now())).toBeLessThan(20_000)
      expect(await result.exists()).toBe(true)
    })

    it('walks the tree of what a task has sent', async () => {
      const result = await py.tree.delay(4)
      const found: unknown[] = []
      for await (const [node, value] of result.collect(soon))
        found.push(node instanceof GroupResult ? ['group', value] : value)

      const id = await result.get()
      expect(found).toEqual([id, ['group', [0, 2, 4, 6]], 0, 2, 4, 6])
      expect(await result.getLeaf(soon)).toBe(6)
      const graph = await result.graph()
      expect(graph.nodes).toHaveLength(6)
      expect(graph.childrenOf(id)).toHaveLength(4)
    })

    it('has a waiting task revoked', async () => {
      const result = await py.add.applyAsync([1, 1], { countdown: 60 })
      const other = await groupOf([1, 2].map((n) => py.add.s(n, n).set({ countdown: 60 }))).delay()
      const [node] = await until('the worker answers', async () => {
        const replies = await result.revoke({ wait: true, timeout: 2 })
        return replies.length > 0 && replies
      })
      await other.revoke()

      expect(node).toMatchObject({
        node: expect.stringContaining('@'),
        value: { ok: expect.anything() },
      })
      // What is revoked is found out when its time has come; a new one of the same id is refused at once.
      const again = await py.add.applyAsync([1, 1], { taskId: result.id })
      expect(await thrownBy(again)).toBeInstanceOf(TaskRevokedError)
      const member = await py.add.applyAsync([2, 2], { taskId: other.at(0)!.id })
      await expect(member.get(soon)).rejects.toMatchObject({ reason: 'revoked' })
    })

    it('has a running task stopped', async () => {
      const result = await py.wait.delay(60_000)
      for await (const { state } of result.progress(soon)) if (state === 'STARTED') break
      await result.revoke({ terminate: true, signal: 'SIGKILL' })

      await expect(result.get(soon)).rejects.toBeInstanceOf(TaskRevokedError)
      expect(await (await py.add.delay(1, 1)).get(soon)).toBe(2)
    })

    it('has tasks revoked by their stamps', async () => {
      const tenant = uniqueName('tenant')
      const stamps = { tenant }
      const running = await py.wait.applyAsync([60_000], { stamps })
      for await (const { state } of running.progress(soon)) if (state === 'STARTED') break
      await running.revokeByStampedHeaders({ tenant: [tenant] }, { terminate: true })

      await expect(running.get(soon)).rejects.toBeInstanceOf(TaskRevokedError)
    })
  })

  describeWith([broker, 'redis', 'python'], `our results in Python through ${broker}`, () => {
    const queue = uniqueName('results')
    let app: Celeriac
    let worker: Worker
    let client: PythonClient

    const thrown: Readonly<Record<string, unknown>> = {
      range: new RangeError('too far'),
      registered: new PaymentRefused('o-7', 3),
      cause: new OutOfStock('none left', { cause: new TypeError('the cause') }),
      aggregate: new AggregateError([new RangeError('one'), new Error('two')], 'both'),
      text: 'only text',
      nothing: undefined,
    }

    beforeAll(async () => {
      const common = { broker: urlOf(broker), backend: urlOf('redis'), queue }
      app = quietApp({ broker: common.broker, backend: common.backend, taskDefaultQueue: queue })
      app.task('js.throw', (kind: string) => {
        throw thrown[kind]
      })
      app.task('js.states', async function states(count: number) {
        for (let n = 0; n < count; n++) await this.updateState('PROGRESS', { n })
        return count
      })
      worker = await createWorker(app, { pool: 'async', concurrency: 4, queues: [queue] })
      await worker.start()
      client = await PythonClient.start(common)
    })

    afterAll(async () => {
      await client?.stop()
      await worker?.stop(0.1)
      await app.close()
      await removeQueues(urlOf(broker), [queue])
    })

    it.each([
      ['range', 'ValueError', 'builtins', ['too far']],
      ['registered', 'PaymentRefused', 'pyproj', ['o-7', 3]],
      ['cause', 'OutOfStock', 'celery.exceptions', ['none left']],
      ['aggregate', 'AggregateError', 'celery.exceptions', ['both']],
      ['text', 'Exception', 'builtins', ['only text']],
      ['nothing', 'Exception', 'builtins', ['None']],
    ])('raises there what was thrown here: %s', async (kind, type, module, args) => {
      const outcome = await client.run({ task: 'js.throw', args: [kind] })

      expect(outcome.error).toMatchObject({ type, module, args })
      expect(outcome.state).toBe('FAILURE')
    })

    it('keeps causes and members of what was thrown here, in the text and as errors', async () => {
      const task = app.remote<(kind: string) => never>('js.throw')
      const stock = await thrownBy(await task.delay('cause'))
      const both = await thrownBy(await task.delay('aggregate'))
      const refused = await thrownBy(await task.delay('registered'))

      expect(stock).toMatchObject({ excType: 'OutOfStock', fields: { code: 'E_STOCK' } })
      expect((stock as Error).cause).toMatchObject({ excType: 'TypeError', args: ['the cause'] })
      const { traceback } = await client.run({ task: 'js.throw', args: ['cause'] })
      expect(traceback).toMatch(/TypeError: the cause[^]*direct cause[^]*OutOfStock: none left\n$/)
      expect((both as RemoteError).errors).toMatchObject([
        { excType: 'ValueError', args: ['one'] },
        { excType: 'Error', args: ['two'] },
      ])
      expect(refused).toBeInstanceOf(PaymentRefused)
      expect(refused).toMatchObject({ order: 'o-7', amount: 3 })
    })

    it('tells Python every state', async () => {
      const { seen } = await client.call<{ seen: { state: string; info: unknown }[] }>('watch', {
        signature: { task: 'js.states', args: [5] },
        queue,
      })

      expect(seen.at(-1)).toMatchObject({ state: 'SUCCESS' })
    })
  })
}

describeWith(['redis'], 'many results on Redis', () => {
  it('ten thousand are read in well under two seconds, and leave no subscription', async () => {
    await using app = quietApp({ broker: 'memory://many', backend: urlOf('redis') })
    const backend = await app.backend()
    const ids: string[] = Array.from({ length: 10_000 }, () => randomUUID())
    const records = ids.map((taskId, i) => ({
      taskId,
      status: 'SUCCESS',
      result: i,
      traceback: null,
      children: [],
      dateDone: null,
    }))
    const stored = records.map((one) => ({
      id: one.taskId,
      state: one.status,
      data: backend.encode(one),
    }))
    const tuple = [['many', null], ids.map((id) => [[id, null], null])]
    const result = await resultFromTuple(tuple, app)
    const redis = await rawRedis(urlOf('redis'))

    // One by one as they are stored, then all at once.
    const waiting = result.get({ timeout: 30 })
    await until('all are awaited', async () => {
      const [id] = ids.slice(-1)
      const counts = await redis.call('PUBSUB', 'NUMSUB', `celery-task-meta-${String(id)}`)
      return (counts as [string, number])[1] === 1
    })
    for (let i = 0; i < stored.length; i += 1000) await backend.store(stored.slice(i, i + 1000))
    expect(await waiting).toEqual(ids.map((_, i) => i))
    const again = await resultFromTuple(tuple, app)
    const began = performance.now()
    const values = (await again.get({ timeout: 10 })) as number[]
    const tookMs = performance.now() - began

    expect(values).toHaveLength(10_000)
    expect(tookMs).toBeLessThan(2000)
    await until('no channel is left', async () => {
      const left = (await redis.call('PUBSUB', 'CHANNELS', 'celery-task-meta-*')) as string[]
      return !left.some((channel) => ids.includes(channel.slice('celery-task-meta-'.length)))
    })
    await backend.forget(ids)
    redis.disconnect()
  }, 60_000)
})

describe('results of apply()', () => {
  it('have ended, and can be waited for inside of a task', async () => {
    await using app = quietApp({ broker: 'memory://eager' })
    const add = app.task('add', (x: number, y: number) => x + y)
    const outer = app.task('outer', async () => await (await add.apply([1, 2])).get())
    const both = await group(add.s(1, 1), add.s(2, 2)).apply([])

    expect((await outer.apply([])).isEager).toBe(true)
    expect(await (await outer.apply([])).get()).toBe(3)
    expect([both.isEager, await both.get()]).toEqual([true, [2, 4]])
  })
})
