/** Nothing stays behind when a wait is over: no subscription, no timer, no listener. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import { after, failure, setUp, turn } from './store.ts'

describe('when a wait is over', () => {
  it.each<[string, (made: ReturnType<typeof setUp>) => Promise<unknown>]>([
    ['its result came', ({ store }) => store({ taskId: 'a' }, { taskId: 'b' })],
    ['its task failed', ({ store }) => store({ taskId: 'a', ...failure() }, { taskId: 'b' })],
    ['a task before it failed', ({ store }) => store({ taskId: 'before', ...failure() })],
    ['its time is over', () => new Promise((resolve) => setTimeout(resolve, 60))],
    ['the app closes', async ({ reader }) => reader.close()],
  ])('nothing is left: %s', async (_how, finish) => {
    const made = setUp()
    const { result, group, backend, timers, reader } = made
    const { signal } = new AbortController()
    const options = { timeout: 0.05, signal, onInterval: () => undefined, interval: 10 }
    const a = () => result(after('a', 'before'))
    const waits = [
      a().get(options),
      a().get({ ...options, onProgress: () => undefined }),
      group([after('a', 'before'), 'b']).get(options),
      a().progress(options).next(),
      (async () => {
        for await (const _ of group([after('a', 'before'), 'b']).iterate(options));
      })(),
      new Promise<void>((resolve) =>
        a().onReady(
          () => resolve(),
          () => resolve(),
          options,
        ),
      ),
    ]
    const settled = Promise.allSettled(waits)
    await turn()
    expect(reader.waiting).toBe(6)
    expect(getEventListeners(signal, 'abort')).toHaveLength(6)
    expect(timers.size).toBe(12)
    await finish(made)
    await settled
    await turn()

    expect([backend.listening, timers.size, reader.waiting]).toEqual([0, 0, 0])
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('only what is still awaited is listened to', async () => {
    const { group, store, backend } = setUp()
    const ids = Array.from({ length: 100 }, (_, i) => `t${i}`)
    const waiting = group(ids).get()
    await turn()
    expect(backend.listening).toBe(100)
    await store(...ids.slice(0, 90).map((taskId) => ({ taskId })))
    expect(backend.listening).toBe(10)
    await store(...ids.slice(90).map((taskId) => ({ taskId })))
    await waiting

    expect(backend.listening).toBe(0)
  })

  it('a thousand waits that time out leave nothing', async () => {
    const { result, backend, timers, reader } = setUp()
    const waits = Array.from({ length: 1000 }, (_, i) => result(`t${i}`).get({ timeout: 0.02 }))
    const ends = await Promise.allSettled(waits)

    expect(ends.every(({ status }) => status === 'rejected')).toBe(true)
    expect(backend.mostListeners).toBe(1000)
    expect([backend.listening, timers.size, reader.waiting]).toEqual([0, 0, 0])
  })
})
