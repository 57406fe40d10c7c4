/** Several results as one: membership, values in order or as they come, and what is read for it. */
import { describe, expect, it } from '@jest/globals'
import { TimeoutError } from '../../src/index.ts'
import { groupTree, taskTree } from '../../src/canvas/result-tree.ts'
import { GroupResult } from '../../src/result/group-result.ts'
import { ResultSet } from '../../src/result/result-set.ts'
import { after, caught, failure, setUp, turn } from './store.ts'

describe('a set of results', () => {
  it('has members in order, each once', () => {
    const { result } = setUp()
    const [a, b, c] = ['a', 'b', 'c'].map((id) => result(id)) as [never, never, never]
    const set = new ResultSet([a])
    set.add(b)
    set.add(b)
    set.update([a, c])

    expect([...set].map(({ id }) => id)).toEqual(['a', 'b', 'c'])
    expect([set.length, set.at(0)?.id, set.at(-1)?.id, set.at(9)]).toEqual([3, 'a', 'c', undefined])
    expect([set.has('b'), set.has(c), set.has('d')]).toEqual([true, true, false])
    set.remove('b')
    expect([set.discard(c), set.discard(c)]).toEqual([true, false])
    expect(() => set.remove('b')).toThrow(/not in this set/)
    expect(set.equals(new ResultSet([a]))).toBe(true)
    expect(set.equals(new ResultSet([b]))).toBe(false)
    set.clear()
    expect([set.length, set.has('a')]).toEqual([0, false])
  })

  it('takes results of several apps', async () => {
    const [one, other] = [setUp(), setUp()]
    await one.store({ taskId: 'a', result: 1 })
    const set = new ResultSet([one.result('a'), other.result('b')])
    const waiting = set.get({ timeout: 5 })
    await turn()
    await other.store({ taskId: 'b', result: 2 })

    expect(await waiting).toEqual([1, 2])
  })

  it('is ready at once when it is empty', async () => {
    const set = new ResultSet()
    const seen: unknown[] = []
    set.onReady((one) => seen.push(one))
    await turn()

    expect(await set.get()).toEqual([])
    expect([await set.ready(), await set.waiting(), await set.failed()]).toEqual([
      true,
      false,
      false,
    ])
    expect(await set.supportsNativeJoin()).toBe(false)
    expect(seen).toEqual([set])
  })
})

describe('a group', () => {
  it('gives values in order, groups inside of it as lists', async () => {
    const { group, store } = setUp()
    const inner = groupTree('inner', [taskTree('b'), groupTree('none', []), taskTree('c')])
    const whole = group(['a', inner, 'd', groupTree('empty', [])])
    const names: string[] = []
    const waiting = whole.get({ timeout: 5, callback: (id) => names.push(id) })
    await turn()
    for (const id of ['d', 'c', 'a', 'b']) await store({ taskId: id, result: id.toUpperCase() })

    expect(await waiting).toEqual(['A', ['B', [], 'C'], 'D', []])
    expect(names).toEqual(['d', 'c', 'a', 'b'])
    expect(await whole.join()).toEqual(await whole.joinNative())
    expect(await whole.completedCount()).toBe(4)
  })

  it('gives them as they come, each with its place', async () => {
    const { group, store } = setUp()
    await store({ taskId: 'b', result: 2 })
    const come: unknown[] = []
    const inner = groupTree('inner', [taskTree('c'), taskTree('d')])
    for await (const one of group(['a', 'b', inner]).iterate({ timeout: 5 })) {
      come.push(one)
      if (one.index === 1) await store({ taskId: 'd', result: 4 }, { taskId: 'c', result: 3 })
      if (one.index === 2) await store({ taskId: 'a', result: 1 })
    }

    expect(come).toEqual([
      { index: 1, value: 2 },
      { index: 2, value: [3, 4] },
      { index: 0, value: 1 },
    ])
  })

  it('throws the first error that comes, and waits no longer', async () => {
    const { group, store, backend } = setUp()
    const thrown = caught(group(['a', 'b', 'c']).get())
    await turn()
    await store({ taskId: 'b', ...failure('b') })

    expect(await thrown).toMatchObject({ args: ['b'] })
    expect(backend.listening).toBe(0)
    const given = group(['b']).get({ propagate: false })
    expect(await given).toEqual([expect.objectContaining({ args: ['b'] })])
  })

  it('gives records to whoever wants them, failures among them', async () => {
    const { group, store } = setUp()
    await store({ taskId: 'a', ...failure('a') }, { taskId: 'b', result: 2 })
    const records: unknown[] = []
    for await (const { id, record } of group(['a', 'b']).iterNative())
      records.push([id, record.status])

    expect(records).toEqual([
      ['a', 'FAILURE'],
      ['b', 'SUCCESS'],
    ])
  })

  it('ends when a task before one of its members failed', async () => {
    const { group, store } = setUp()
    const whole = group([after('two', 'one'), 'three'])
    const thrown = caught(whole.get({ timeout: 5 }))
    await turn()
    await store({ taskId: 'one', ...failure('one') })

    expect(await thrown).toMatchObject({ args: ['one'] })
  })

  it('tells of its members together', async () => {
    const { group, store, backend } = setUp()
    const whole = group(['a', 'b', 'c'])
    await store({ taskId: 'a' }, { taskId: 'b', ...failure() })

    expect([await whole.ready(), await whole.waiting()]).toEqual([false, true])
    expect([await whole.successful(), await whole.failed()]).toEqual([false, true])
    expect(await whole.completedCount()).toBe(1)
    await expect(whole.maybeThrow()).rejects.toMatchObject({ excType: 'ValueError' })
    await store({ taskId: 'c' })
    const before = backend.reads.length
    expect(await whole.ready()).toBe(true)
    expect(await whole.failed()).toBe(true)
    // What is final is not asked for again.
    expect(backend.reads.slice(before)).toEqual([1])
  })

  it('calls back when all are ready, whatever came of them', async () => {
    const { group, store } = setUp()
    const seen: unknown[] = []
    const errors: unknown[] = []
    const whole = group(['a', 'b'])
    whole.onReady((one) => seen.push(one.id))
    whole.onReady(
      () => seen.push('never'),
      (error) => errors.push(error),
      { timeout: 0.01 },
    )
    await store({ taskId: 'a', ...failure() })
    while (errors.length === 0) await turn()
    expect(seen).toEqual([])
    await store({ taskId: 'b' })
    await turn()

    expect(seen).toEqual(['group'])
    expect(errors).toEqual([expect.any(TimeoutError)])
  })

  it('is kept, found again, and removed', async () => {
    const { group, reader, store, backend } = setUp()
    const whole = group(['a', after('c', 'b')], 'g', taskTree('before'))
    await store({ taskId: 'a' }, { taskId: 'b' }, { taskId: 'c' }, { taskId: 'before' })
    await whole.save()
    const again = await GroupResult.restore('g', reader)

    expect(again?.asTuple()).toEqual([
      ['g', [['before', null], null]],
      [
        [['a', null], null],
        [['c', [['b', null], null]], null],
      ],
    ])
    expect(again?.equals(whole)).toBe(true)
    expect([again?.equals('g'), again?.equals(group(['a'], 'g'))]).toEqual([true, false])
    expect(JSON.parse(JSON.stringify(again))).toEqual(whole.asTuple())
    expect(again?.parent?.id).toBe('before')
    expect(again?.children.map(({ id }) => id)).toEqual(['a', 'c'])
    await again?.delete()
    expect(await GroupResult.restore('g', reader)).toBeUndefined()
    await whole.forget()
    const left = await backend.read(['a', 'b', 'c', 'before'])
    expect(left.map(Boolean)).toEqual([false, false, false, true])
  })
})

describe('ten thousand results', () => {
  const ids = Array.from({ length: 10_000 }, (_, i) => `task-${i}`)

  it('are read in a few batches when they are there', async () => {
    const { group, store, backend } = setUp()
    await store(...ids.map((taskId, i) => ({ taskId, result: i })))
    const began = performance.now()

    const values = await group(ids).get({ timeout: 10 })

    expect(values).toEqual(ids.map((_, i) => i))
    expect(backend.reads.length).toBeLessThanOrEqual(10)
    expect(backend.subscriptions).toBe(0)
    expect(performance.now() - began).toBeLessThan(2000)
  })

  it('are handed out one by one without looking at all of them for each', async () => {
    const { group, store, backend, timers, reader } = setUp()
    const whole = group(ids)
    let sum = 0
    const began = performance.now()
    const all = (async () => {
      for await (const { index } of whole.iterate({ timeout: 60 })) sum += index
    })()
    while (backend.listening < ids.length) await turn()
    expect([timers.size, reader.waiting]).toEqual([1, 1])
    for (const taskId of ids) await store({ taskId })
    await all

    expect(sum).toBe(49_995_000)
    expect(backend.listening).toBe(0)
    expect(performance.now() - began).toBeLessThan(5000)
  }, 30_000)
})
