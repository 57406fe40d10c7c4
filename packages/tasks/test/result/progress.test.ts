/** States of a task as they come: none lost, none twice, in their order, until the last. */
import { describe, expect, it } from '@jest/globals'
import type { StoredData } from '../../src/backend/backend.ts'
import { RemoteError, TimeoutError } from '../../src/index.ts'
import type { ProgressState } from '../../src/result/progress.ts'
import { failure, setUp, turn } from './store.ts'

async function all(states: AsyncIterable<ProgressState>, seen: unknown[] = []) {
  for await (const { state, meta } of states) seen.push([state, meta])
  return seen
}

describe('progress()', () => {
  it('gives every state once, the final one last', async () => {
    const { result, store } = setUp()
    await store({ taskId: 'a', status: 'STARTED', result: { pid: 1 } })
    const seen = all(result('a').progress({ timeout: 5 }))
    await turn()
    for (const n of [1, 1, 2]) await store({ taskId: 'a', status: 'PROGRESS', result: { n } })
    await store({ taskId: 'a', result: 'end' })

    expect(await seen).toEqual([
      ['STARTED', { pid: 1 }],
      ['PROGRESS', { n: 1 }],
      ['PROGRESS', { n: 2 }],
      ['SUCCESS', 'end'],
    ])
  })

  it('gives what is stored already', async () => {
    const { result, store } = setUp()
    await store({ taskId: 'a', result: 7 })
    const known = result('a')
    await known.get()

    expect(await all(result('a').progress())).toEqual([['SUCCESS', 7]])
    expect(await all(known.progress())).toEqual([['SUCCESS', 7]])
  })

  it('throws what the task threw after its last state, or does not', async () => {
    const { result, store } = setUp()
    await store({ taskId: 'a', ...failure('bad') })
    const seen: unknown[] = []

    await expect(all(result('a').progress(), seen)).rejects.toMatchObject({ args: ['bad'] })
    expect(seen).toEqual([['FAILURE', expect.any(RemoteError)]])
    expect(await all(result('a').progress({ propagate: false }))).toHaveLength(1)
  })

  it('ends with a timeout, a signal, or the loop that reads it', async () => {
    const { result, store, backend, timers, reader } = setUp()
    await store({ taskId: 'a', status: 'PROGRESS' })
    const signal = AbortSignal.timeout(10)

    await expect(all(result('a').progress({ timeout: 0.01 }))).rejects.toThrow(TimeoutError)
    await expect(all(result('a').progress({ signal }))).rejects.toMatchObject({
      code: 'TASKS_ABORTED',
    })
    for await (const { state } of result('a').progress({ timeout: 60 })) {
      expect(state).toBe('PROGRESS')
      break
    }
    expect([backend.listening, timers.size, reader.waiting]).toEqual([0, 0, 0])
  })

  it.each([
    ['what was read is older than all that is told', 0, ['1', '2', '3']],
    ['it is one of those that are told', 2, ['2', '3']],
    ['it is the newest that is told', 3, ['2', '3']],
  ])('keeps the order where notices come late: %s', async (_what, read, expected) => {
    const { result, store, backend } = setUp()
    const record = (n: number) => ({ taskId: 'a', status: 'PROGRESS', result: String(n) })
    const subscribe = backend.subscribe.bind(backend)
    let tell: ((data: StoredData) => void) | undefined
    // A server that answers reads before it delivers what it published earlier.
    backend.subscribe = async (id, onData) => {
      if (!tell) {
        tell = onData
        if (read === 0) await store(record(1))
        return await subscribe(id, () => undefined)
      }
      for (const n of [2, 3]) tell(await dataOf(n))
      return () => undefined
    }
    const dataOf = async (n: number) => {
      const other = setUp()
      await other.store(record(n))
      return (await other.backend.read(['a']))[0]!
    }
    if (read > 0) {
      const readAll = backend.read.bind(backend)
      backend.read = async (ids) => {
        await store(record(read))
        return await readAll(ids)
      }
    }
    const states = result('a').progress({ timeout: 5 })
    const seen: unknown[] = []
    for await (const { meta } of states) {
      seen.push(meta)
      if (meta === '3') break
    }

    expect(seen).toEqual(expected)
  })
})
