import { afterEach, describe, expect, it } from '@jest/globals'
import { message } from '@celeriac/messaging'
import { Ignore, Reject, RemoteError, TaskRevokedError, type Celeriac } from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

async function started(...given: Parameters<typeof setup>): Promise<Bench> {
  bench = await setup(...given)
  await bench.worker.start()
  return bench
}

const timeout = 5
const signal = (): AbortSignal => AbortSignal.timeout(5000)

describe('a worker', () => {
  it('runs a task and answers with its result', async () => {
    const { app } = await started((a) => void a.task('add', (x: number, y: number) => x + y))
    const result = await app.sendTask('add', [2, 3])

    expect(await result.get({ timeout })).toBe(5)
    expect(await result.state).toBe('SUCCESS')
    expect(await result.successful()).toBe(true)
  })

  it('answers with the error of a task, its type and where it came from', async () => {
    const { app } = await started((a) =>
      a.task('boom', () => {
        throw new RangeError('too far')
      }),
    )
    const result = await app.sendTask('boom')

    await expect(result.get({ timeout })).rejects.toThrow(RemoteError)
    await expect(result.get({ timeout })).rejects.toMatchObject({
      excType: 'ValueError',
      args: ['too far'],
    })
    expect(await result.traceback()).toContain('worker.test.ts')
    expect(await result.failed()).toBe(true)
  })

  it('knows itself what it runs', async () => {
    let seen: unknown
    const { app, worker } = await started((a) =>
      a.task('look', function (x: number) {
        seen = { ...this.request }
        return x
      }),
    )
    const result = await app.sendTask('look', [1], { headers: { tenant: 'a' }, priority: 4 })
    await result.get({ timeout })

    expect(seen).toMatchObject({
      id: result.id,
      task: 'look',
      args: [1],
      retries: 0,
      hostname: worker.hostname,
      rootId: result.id,
      headers: { tenant: 'a' },
      calledDirectly: false,
      deliveryInfo: { routingKey: 'celery', redelivered: false },
    })
  })

  it('retries when asked to, with other arguments, until it works', async () => {
    const { app } = await started((a) =>
      a.task('flaky', function (attempt: number) {
        if (this.request.retries < 2) throw this.retry({ countdown: 0.01, args: [attempt + 1] })
        return [attempt, this.request.retries]
      }),
    )
    const result = await app.sendTask('flaky', [1])

    expect(await result.get({ timeout })).toEqual([3, 2])
  })

  it('fails with the cause when no retries are left', async () => {
    const { app } = await started((a) =>
      a.task('never', { maxRetries: 1 }, function () {
        throw this.retry({ countdown: 0.01, cause: new RangeError('still no') })
      }),
    )
    const result = await app.sendTask('never')

    await expect(result.get({ timeout })).rejects.toMatchObject({ args: ['still no'] })
  })

  it('stores progress for those who watch', async () => {
    const { app } = await started((a) =>
      a.task('slow', async function () {
        await this.updateState('PROGRESS', { done: 3 })
        return 'end'
      }),
    )
    const progress: unknown[] = []
    const result = await app.sendTask('slow', [], { countdown: 0.1 })
    await result.get({ timeout, onProgress: ({ status, result: r }) => progress.push([status, r]) })

    expect(progress).toEqual([['PROGRESS', { done: 3 }]])
  })

  it('holds a task until its time', async () => {
    const { app } = await started((a) => void a.task('now', () => Date.now()))
    const sent = Date.now()
    const result = await app.sendTask('now', [], { countdown: 0.5 })
    const ran = (await result.get({ timeout })) as number

    expect(ran - sent).toBeGreaterThanOrEqual(500)
    expect(ran - sent).toBeLessThan(1500)
  })

  it('drops what has expired, and tells who waits', async () => {
    let ran = 0
    const { app, worker } = await started((a) => a.task('late', () => void ran++))
    const revoked = worker.signals.once('taskRevoked', signal())
    const result = await app.sendTask('late', [], { expires: -1 })

    await expect(result.get({ timeout })).rejects.toThrow(TaskRevokedError)
    expect(await revoked).toEqual({ id: result.id, task: 'late', why: 'expired' })
    expect(ran).toBe(0)
  })

  it('does not run what was revoked', async () => {
    let ran = 0
    const { app, worker } = await started((a) => a.task('t', () => void ran++))
    worker.revoke('wanted')
    const result = await app.sendTask('t', [], { taskId: 'wanted' })

    await expect(result.get({ timeout })).rejects.toThrow('revoked')
    expect(ran).toBe(0)
  })

  it('ends a running task when it is revoked by force', async () => {
    const { app, worker } = await started((a) => {
      a.task('long', () => new Promise((resolve) => setTimeout(resolve, 60_000).unref()))
    })
    const running = worker.signals.once('taskStarted', signal())
    const result = await app.sendTask('long')
    await running

    expect(worker.revoke(result.id, { terminate: true })).toBe(true)
    await expect(result.get({ timeout })).rejects.toThrow('terminated')
  })

  it('stores nothing for a task that is ignored', async () => {
    const { app, worker } = await started((a) =>
      a.task('ignored', () => {
        throw new Ignore()
      }),
    )
    const ended = worker.signals.once('taskEnded', signal())
    const result = await app.sendTask('ignored')

    expect((await ended).report.state).toBe('IGNORED')
    expect(await result.state).toBe('PENDING')
  })

  it('parks what a task rejects, or hands it out again', async () => {
    let runs = 0
    const { app, worker, parked } = await started((a) => {
      a.task('reject', (again: boolean) => {
        runs++
        throw new Reject('not mine', again && runs < 3)
      })
    })
    const put = worker.signals.once('messageParked', signal())
    await app.sendTask('reject', [true])
    await put

    expect(runs).toBe(3)
    const [delivery] = await parked()
    expect(delivery?.message.headers).toMatchObject({ 'x-parked-reason': 'rejected' })
  })
})

describe('an app that closes', () => {
  it('ends the waiting for results', async () => {
    const { app } = await started((a) => {
      a.task('long', () => new Promise((resolve) => setTimeout(resolve, 60_000).unref()))
    })
    const waiting = (await app.sendTask('long')).get()
    waiting.catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 20))
    await bench!.worker.stop(0.1)
    await app.close()

    await expect(waiting).rejects.toMatchObject({ code: 'TASKS_STOPPED' })
  })
})

describe('what is stored', () => {
  const fails = (app: Celeriac): void =>
    void app.task('fails', (bad: boolean) => {
      if (bad) throw new Error('x')
      return 1
    })
  const endOf = async (b: Bench, send: Promise<{ id: string; state: Promise<string> }>) => {
    const ended = b.worker.signals.once('taskEnded', signal())
    const result = await send
    await ended
    return await result.state
  }

  it('is everything but the success, when a call ignores its result', async () => {
    const b = await started(fails)
    const options = { ignoreResult: true }

    expect(await endOf(b, b.app.sendTask('fails', [false], options))).toBe('PENDING')
    expect(await endOf(b, b.app.sendTask('fails', [true], options))).toBe('FAILURE')
  })

  it('is nothing, when the task ignores results', async () => {
    const b = await started((a) =>
      a.task('quiet', { ignoreResult: true }, (bad: boolean) => {
        if (bad) throw new Error('x')
      }),
    )

    expect(await endOf(b, b.app.sendTask('quiet', [false]))).toBe('PENDING')
    expect(await endOf(b, b.app.sendTask('quiet', [true]))).toBe('PENDING')
  })

  it('is more, when results are extended', async () => {
    const b = await started(fails, { resultExtended: true })
    const result = await b.app.sendTask('fails', [false])
    await result.get({ timeout })

    expect((await result.info())?.extended).toEqual({
      name: 'fails',
      args: [false],
      kwargs: {},
      worker: b.worker.hostname,
      retries: 0,
      queue: 'celery',
    })
  })

  it('is a failure, when a result cannot be carried', async () => {
    const { app } = await started((a) => a.task('odd', (): unknown => ({ f: () => 1 })))
    const result = await app.sendTask('odd')

    await expect(result.get({ timeout })).rejects.toThrow(/f.*function/s)
  })
})

describe('messages that are no tasks for this worker', () => {
  const raw = async (
    b: Bench,
    body: string,
    headers: Record<string, string | null> = {},
    contentType = 'application/json',
  ): Promise<void> => {
    await b.connection.withChannel(async (channel) => {
      await channel.publish([
        {
          exchange: '',
          routingKey: 'celery',
          message: message(body, { contentType, contentEncoding: 'utf-8' }, headers),
        },
      ])
    })
  }
  const good = (a: Celeriac): void => void a.task('good', (x: number) => x)

  const cases: readonly [string, string, Record<string, string | null>, string][] = [
    ['without headers and not JSON', 'not json', {}, 'bad-body'],
    ['without headers and no old task', '{"a": 1}', {}, 'no-task'],
    ['without an id', '[[], {}, {}]', { task: 'good' }, 'no-id'],
    [
      'with an eta that is no time',
      '[[], {}, {}]',
      { task: 'good', id: 'i', eta: 'soon' },
      'bad-eta',
    ],
  ]
  it.each(cases)('parks one %s, and goes on', async (_what, body, headers, reason) => {
    const b = await started(good)
    const put = b.worker.signals.once('messageParked', signal())
    await raw(b, body, headers)

    expect((await put).reason).toContain(reason)
    expect(await (await b.app.sendTask('good', [7])).get({ timeout })).toBe(7)
    const [delivery] = await b.parked()
    expect(Buffer.from(delivery!.message.body).toString()).toBe(body)
    expect(delivery?.message.headers).toMatchObject({
      'x-parked-reason': reason,
      'x-parked-queue': 'celery',
    })
  })

  it('parks one whose body is broken behind good headers', async () => {
    const b = await started(good)
    const ended = b.worker.signals.once('taskEnded', signal())
    const put = b.worker.signals.once('messageParked', signal())
    await raw(b, '[1, 2]', { task: 'good', id: 'broken' })

    expect((await ended).report).toMatchObject({ id: 'broken', state: 'REJECTED' })
    await put
  })

  it('fails and parks an unknown task', async () => {
    const b = await started(good)
    const put = b.worker.signals.once('messageParked', signal())
    const result = await b.app.sendTask('goood', [1])

    await expect(result.get({ timeout })).rejects.toMatchObject({ excType: 'NotRegistered' })
    expect(await put).toMatchObject({ task: 'goood', id: result.id })
    expect((await b.parked())[0]?.message.headers['x-parked-detail']).toContain(
      "Did you mean 'good'?",
    )
  })
})

describe('stopping', () => {
  it('finishes what runs and hands back what has not begun', async () => {
    const b = await started(
      (a) =>
        void a.task('nap', (ms: number) => new Promise((done) => setTimeout(() => done(ms), ms))),
      {},
      1,
    )
    const running = b.worker.signals.once('taskStarted', signal())
    const first = await b.app.sendTask('nap', [200])
    await running
    await b.app.sendTask('nap', [1])

    await b.worker.stop()

    expect(await first.get({ timeout })).toBe(200)
    expect(await b.waiting()).toBe(1)
    expect(b.worker.state).toBe('stopped')
  })

  it('hands back what does not end in its time', async () => {
    const b = await started((a) => {
      a.task('long', () => new Promise((resolve) => setTimeout(resolve, 60_000).unref()))
    })
    const running = b.worker.signals.once('taskStarted', signal())
    const result = await b.app.sendTask('long')
    await running

    await b.worker.stop(0.1)

    expect(await b.waiting()).toBe(1)
    expect(await result.state).toBe('PENDING')
  })

  it('can be asked for twice, and before the start', async () => {
    bench = await setup((a) => void a.task('t', () => 1))
    await Promise.all([bench.worker.stop(), bench.worker.stop()])

    await expect(bench.worker.start()).rejects.toMatchObject({ code: 'TASKS_STOPPED' })
  })
})
