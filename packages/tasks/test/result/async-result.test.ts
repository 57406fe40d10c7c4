/** The handle of one task: what it tells, and how long it waits. */
import { describe, expect, it } from '@jest/globals'
import { RemoteError, TaskRevokedError, TimeoutError, WouldBlockError } from '../../src/index.ts'
import { groupTree, taskTree } from '../../src/canvas/result-tree.ts'
import { allowJoinResult, deniedJoinResult } from '../../src/result/joining.ts'
import { after, caught, failure, setUp, turn } from './store.ts'

describe('get()', () => {
  it('gives what is stored, and what is stored later', async () => {
    const { result, store } = setUp()
    await store({ taskId: 'a', result: 1 })
    const later = result('b').get()
    await turn()
    await store({ taskId: 'b', status: 'STARTED' }, { taskId: 'b', result: 2 })

    expect([await result('a').get(), await later]).toEqual([1, 2])
  })

  it('throws the error of the task, or gives it', async () => {
    const { result, store } = setUp()
    await store({ taskId: 'a', ...failure('no good') })

    await expect(result('a').get()).rejects.toMatchObject({ excType: 'ValueError' })
    expect(await result('a').get({ propagate: false })).toBeInstanceOf(RemoteError)
  })

  it('says why a task was revoked', async () => {
    const { result, store } = setUp()
    const revoked = { exc_type: 'TaskRevokedError', exc_message: ['expired'] }
    await store({ taskId: 'a', status: 'REVOKED', result: revoked })
    await store({ taskId: 'b', status: 'REVOKED', result: null })

    const error = await result('a').get({ propagate: false })
    expect(error).toBeInstanceOf(TaskRevokedError)
    expect(error).toMatchObject({ reason: 'expired', excType: 'TaskRevokedError' })
    await expect(result('b').get()).rejects.toMatchObject({ reason: 'revoked' })
  })

  it('ends with a timeout, a signal, or the app', async () => {
    const { result, reader } = setUp()
    const gone = new AbortController()
    const aborted = caught(result('a').get({ signal: gone.signal }))
    const closed = caught(result('a').get())
    await turn()
    gone.abort(new Error('enough'))

    await expect(result('a').get({ timeout: 0.01 })).rejects.toThrow(TimeoutError)
    expect(await aborted).toMatchObject({ code: 'TASKS_ABORTED' })
    await expect(result('a').get({ signal: gone.signal })).rejects.toMatchObject({
      code: 'TASKS_ABORTED',
      cause: gone.signal.reason,
    })
    reader.close()
    expect(await closed).toMatchObject({ code: 'TASKS_STOPPED' })
  })

  it('calls back with the value, with progress, and while it waits', async () => {
    const { result, store } = setUp()
    const values: unknown[] = []
    const states: string[] = []
    let intervals = 0
    const waiting = result('a').get({
      callback: (id, value) => values.push([id, value]),
      onMessage: ({ status }) => states.push(status),
      interval: 0.01,
      onInterval: () => intervals++,
    })
    await turn()
    await store({ taskId: 'a', status: 'PROGRESS', result: 1 })
    while (intervals < 3) await turn()
    await store({ taskId: 'a', result: 7 })

    expect(await waiting).toBe(7)
    expect(values).toEqual([['a', 7]])
    expect(states).toEqual(['PROGRESS'])
  })

  it.each([['onInterval'], ['onProgress']])('throws what %s throws', async (name) => {
    const { result, store, backend, timers } = setUp()
    const fail = (): void => {
      throw new RangeError('mine')
    }
    const thrown = caught(result('a').get({ interval: 0.01, [name]: fail }))
    await turn()
    await store({ taskId: 'a', status: 'PROGRESS' })

    expect(await thrown).toMatchObject({ message: 'mine' })
    expect([backend.listening, timers.size]).toEqual([0, 0])
  })

  it('looks at a store that does not notify as often as it is told to', async () => {
    const { result, store, backend } = setUp()
    Object.assign(backend, { capabilities: { ...backend.capabilities, notifies: false } })
    backend.subscribe = async () => () => undefined
    const waiting = result('a').get({ interval: 0.01, timeout: 5 })
    await turn()
    await store({ taskId: 'a', result: 'seen' })

    expect(await waiting).toBe('seen')
  })

  it('resolves at once for a task that stores nothing', async () => {
    const { result } = setUp()
    const ignored = result('a')
    ignored.ignored = true

    expect(await ignored.get()).toBeUndefined()
  })

  it('is not called by await: a handle is no promise', async () => {
    const { result } = setUp()
    const handle = result('a')

    expect('then' in handle).toBe(false)
    expect(await Promise.resolve(handle)).toBe(handle)
  })
})

describe('a step of a chain', () => {
  it.each([
    ['stored before', true],
    ['stored while it waits', false],
  ])('fails with the step before it, %s', async (_when, isBefore) => {
    const { result, store, backend } = setUp()
    const fail = () => store({ taskId: 'one', result: 1 }, { taskId: 'two', ...failure('two') })
    if (isBefore) await fail()
    const thrown = caught(result(after('four', 'one', 'two', 'three')).get({ timeout: 5 }))
    await turn()
    if (!isBefore) await fail()

    expect(await thrown).toMatchObject({ excType: 'ValueError', args: ['two'] })
    expect(backend.listening).toBe(0)
  })

  it('fails when a step before it was revoked, whose followers nobody marks', async () => {
    const { result, store } = setUp()
    const thrown = caught(result(after('two', 'one')).get({ timeout: 5 }))
    const given = result(after('two', 'one')).get({ timeout: 5, propagate: false })
    await turn()
    await store({ taskId: 'one', status: 'REVOKED', result: null })

    expect(await thrown).toBeInstanceOf(TaskRevokedError)
    expect(await given).toBeInstanceOf(TaskRevokedError)
  })

  it('has its own result whatever became of those before it', async () => {
    const { result, store } = setUp()
    await store({ taskId: 'one', ...failure() }, { taskId: 'two', result: 2 })

    expect(await result(after('two', 'one')).get()).toBe(2)
  })

  it('waits for itself alone when it is told to, and never for the members of a group', async () => {
    const { result, store } = setUp()
    await store({ taskId: 'one', ...failure() }, { taskId: 'member', ...failure() })
    const alone = result(after('two', 'one')).get({ followParents: false, timeout: 0.02 })
    const body = taskTree('body', groupTree('group', [taskTree('member')]))

    await expect(alone).rejects.toThrow(TimeoutError)
    await expect(result(body).get({ timeout: 0.02 })).rejects.toThrow(TimeoutError)
  })
})

describe('inside of a task', () => {
  it('refuses to wait, unless it is said to be meant', async () => {
    const { result, group, store } = setUp({ isInTask: () => true })
    await store({ taskId: 'a', result: 1 })
    const one = result('a')

    await expect(one.get()).rejects.toThrow(WouldBlockError)
    await expect(one.get()).rejects.toMatchObject({ code: 'TASKS_WOULD_BLOCK' })
    await expect(group(['a']).get()).rejects.toThrow(WouldBlockError)
    await expect(one.collect().next()).rejects.toThrow(WouldBlockError)
    expect(await one.get({ disableSyncSubtasks: false })).toBe(1)
    expect(await group(['a']).get({ disableSyncSubtasks: false })).toEqual([1])
    expect(await allowJoinResult(() => one.get())).toBe(1)
    expect(await one.state).toBe('SUCCESS')
  })

  it('can be refused everywhere', async () => {
    const { result, store } = setUp()
    await store({ taskId: 'a', result: 1 })

    await expect(deniedJoinResult(() => result('a').get())).rejects.toThrow(WouldBlockError)
    expect(await deniedJoinResult(() => allowJoinResult(() => result('a').get()))).toBe(1)
    expect(await result('a').get()).toBe(1)
  })
})

describe('what is known of a task', () => {
  it('is nothing before anybody has heard of it', async () => {
    const { result } = setUp()
    const one = result('a')

    expect([await one.state, await one.status]).toEqual(['PENDING', 'PENDING'])
    const answers = [one.ready(), one.successful(), one.failed(), one.exists()]
    expect(await Promise.all(answers)).toEqual([false, false, false, false])
    const nothing = [one.info(), one.result(), one.traceback(), one.dateDone(), one.name()]
    expect(await Promise.all(nothing)).toEqual(Array(5).fill(undefined))
    expect(await one.maybeThrow()).toBeUndefined()
    expect(await one.error()).toBeUndefined()
    expect(await one.children()).toEqual([])
  })

  it('is everything its record says', async () => {
    const { result, store } = setUp()
    const extended = {
      name: 'add',
      args: [1],
      kwargs: { b: 2 },
      worker: 'w@h',
      retries: 3,
      queue: 'q',
    }
    await store({ taskId: 'a', result: 9, dateDone: '2026-03-01T10:20:30.500000+00:00', extended })
    const one = result('a')

    expect(await one.dateDone()).toEqual(new Date(Date.UTC(2026, 2, 1, 10, 20, 30, 500)))
    expect(await one.result()).toBe(9)
    expect(await one.exists()).toBe(true)
    expect({
      name: await one.name(),
      args: await one.args(),
      kwargs: await one.kwargs(),
      worker: await one.worker(),
      retries: await one.retries(),
      queue: await one.queue(),
    }).toEqual(extended)
  })

  it('is the error of what failed', async () => {
    const { result, store } = setUp()
    await store({ taskId: 'a', ...failure('bad') })
    const one = result('a')
    const seen: unknown[] = []

    expect(await one.failed()).toBe(true)
    expect(await one.traceback()).toContain('/t.py')
    expect(await one.result()).toMatchObject({ excType: 'ValueError', args: ['bad'] })
    expect(await one.error()).toMatchObject({ excType: 'ValueError' })
    await expect(one.maybeThrow()).rejects.toMatchObject({ args: ['bad'] })
    await one.maybeThrow({ propagate: false, callback: (id) => seen.push(id) })
    expect(seen).toEqual(['a'])
  })

  it('shows in the stack where the task threw when it is told to', async () => {
    const { result, store } = setUp({ remoteTracebacks: true })
    const plain = setUp()
    await store({ taskId: 'a', ...failure() })
    await plain.store({ taskId: 'a', ...failure() })

    expect((await result('a').error())?.stack).toContain('File "/t.py", line 3')
    expect((await plain.result('a').error())?.stack).not.toContain('/t.py')
  })

  it('is as a tuple what Celery has', async () => {
    const { result, group, reader } = setUp()
    const last = result(after('c', 'a', 'b'))

    expect(last.asTuple()).toEqual([['c', [['b', [['a', null], null]], null]], null])
    expect(last.asList()).toEqual(['c', 'b', 'a'])
    expect(JSON.parse(JSON.stringify(last))).toEqual(last.asTuple())
    expect(reader.handleOf(last.asTuple()).parent?.parent?.id).toBe('a')
    expect(String(last)).toBe('c')
    expect([last.equals(result('c')), last.equals('c'), last.equals(result('d'))]).toEqual([
      true,
      true,
      false,
    ])
    expect(last.equals(group([], 'c'))).toBe(false)
  })

  it.each([[''], [undefined], [7]])('refuses %p as an id', (id) => {
    const { result } = setUp()

    expect(() => result(id as string)).toThrow(/needs an id/)
  })
})

describe('onReady()', () => {
  it('calls back once, whatever came of it', async () => {
    const { result, store, backend } = setUp()
    const seen: unknown[] = []
    result('a').onReady((one) => seen.push(one.id))
    result('b').onReady((one) => seen.push(one.id))
    await turn()
    await store({ taskId: 'a', result: 1 }, { taskId: 'b', ...failure() })
    await turn()

    expect(seen).toEqual(['a', 'b'])
    expect(backend.listening).toBe(0)
  })

  it('tells why it cannot be known, or logs it, and can be ended', async () => {
    const { result, store, reader, warnings } = setUp()
    const errors: unknown[] = []
    const fail = (): void => {
      throw new Error('was called')
    }
    result('a').onReady(fail, (error) => errors.push(error), { timeout: 0.01 })
    result('a').onReady(fail, undefined, { timeout: 0.01 })
    const stop = result('b').onReady(fail)
    stop()
    await store({ taskId: 'b' })
    while (warnings.length === 0) await turn()

    expect(errors).toEqual([expect.any(TimeoutError)])
    expect(reader.waiting).toBe(0)
  })
})

describe('forget()', () => {
  it('removes the result and those before it', async () => {
    const { result, store, backend } = setUp()
    await store({ taskId: 'a' }, { taskId: 'b' }, { taskId: 'c' })
    const last = result(after('b', 'a'))
    await last.get()
    await last.forget()

    expect((await backend.read(['a', 'b', 'c'])).map(Boolean)).toEqual([false, false, true])
    expect(await last.state).toBe('PENDING')
  })
})

describe('revoke()', () => {
  it('tells the workers with the arguments of Celery', async () => {
    const sent: unknown[] = []
    const remote = {
      cast: async (...given: unknown[]) => void sent.push(given),
      call: async (...given: unknown[]) => {
        sent.push(given)
        return given[0] === 'revoke' ? [] : [{ node: 'w', value: { ok: ['x', 'y'] } }]
      },
    }
    const { result, group } = setUp({ remote: () => remote })
    await result('a').revoke()
    await result('a').revoke({ terminate: true, signal: 'SIGKILL', destination: ['w'] })
    await group(['a', 'b']).revoke({ wait: true, timeout: 2 })
    await result('a').revokeByStampedHeaders({ tenant: ['t'] }, { wait: true })

    const usual = { terminate: false, signal: 'SIGTERM' }
    expect(sent).toEqual([
      ['revoke', { task_id: 'a', ...usual }, {}],
      ['revoke', { task_id: 'a', terminate: true, signal: 'SIGKILL' }, { destination: ['w'] }],
      ['revoke', { task_id: ['a', 'b'], ...usual }, { timeout: 2 }],
      ['revoke_by_stamped_headers', { headers: { tenant: ['t'] }, ...usual }, { timeout: 1 }],
      ['revoke', { task_id: ['x', 'y'], ...usual }, { timeout: 1 }],
    ])
  })

  it('is refused where nobody listens', async () => {
    const { result } = setUp()

    await expect(result('a').revoke()).rejects.toMatchObject({ code: 'TASKS_NOT_SUPPORTED' })
  })
})
