import { describe, expect, it } from '@jest/globals'
import { Polling } from '../../src/backend/polling.ts'
import { ManualClock, settled } from '../beat/manual-clock.ts'

/** A store whose reads answer when the test says so. */
function slowStore() {
  const stored = new Map<string, string>()
  const reads: { ids: readonly string[]; answer: () => Promise<void> }[] = []
  const read = (ids: readonly string[]): Promise<(string | undefined)[]> =>
    new Promise((resolve) => {
      const found = ids.map((id) => stored.get(id))
      const answer = async (): Promise<void> => {
        resolve(found)
        await settled()
      }
      reads.push({ ids, answer })
    })
  return { stored, reads, read }
}

describe('polling', () => {
  it('tells each record once, and the next when it differs', async () => {
    const clock = new ManualClock()
    const stored = new Map<string, string>()
    const polling = new Polling(async (ids) => ids.map((id) => stored.get(id)), clock)
    const told: unknown[] = []
    const off = polling.subscribe('a', (data) => told.push(data))
    await clock.advance(1000)
    stored.set('a', '1')
    await clock.advance(2000)
    stored.set('a', '2')
    await clock.advance(2000)
    off()
    stored.set('a', '3')
    await clock.advance(2000)

    expect(told).toEqual(['1', '2'])
  })

  it('looks at those that were rung for, and only if they are awaited', async () => {
    const clock = new ManualClock()
    const { reads, read } = slowStore()
    const polling = new Polling(read, clock)
    polling.subscribe('a', () => undefined)
    polling.subscribe('b', () => undefined)

    polling.lookNow(['x'])
    polling.lookNow(['b', 'x'])

    expect(reads.map(({ ids }) => ids)).toEqual([['b']])
    polling.close()
  })

  it('does not go on when it was closed during a look', async () => {
    const clock = new ManualClock()
    const { reads, read } = slowStore()
    const polling = new Polling(read, clock)
    polling.subscribe('a', () => undefined)
    await clock.advance(500)
    expect(reads).toHaveLength(1)

    polling.close()
    await reads[0]!.answer()
    polling.lookSoon('a')
    polling.lookNow()
    polling.subscribe('b', () => undefined)
    await clock.advance(5000)

    expect(reads).toHaveLength(1)
    expect(clock.waitMs).toBeUndefined()
  })

  it('looks once at what is told of several times in one turn', async () => {
    const { reads, read } = slowStore()
    const polling = new Polling(read, new ManualClock())
    for (const id of ['a', 'b']) polling.subscribe(id, () => undefined)

    for (const id of ['a', 'x', 'b', 'a']) polling.lookSoon(id)
    expect(reads).toEqual([])
    await new Promise(setImmediate)

    expect(reads.map(({ ids }) => ids)).toEqual([['a', 'b']])
    polling.close()
  })

  it('never has two looks under way, so that the older is not told last', async () => {
    const clock = new ManualClock()
    const { stored, reads, read } = slowStore()
    const polling = new Polling(read, clock)
    const told: unknown[] = []
    polling.subscribe('a', (data) => told.push(data))
    stored.set('a', 'old')
    polling.lookNow(['a'])
    stored.set('a', 'new')
    polling.lookNow(['a'])
    polling.lookNow()
    await clock.advance(500)

    expect(reads).toHaveLength(1)
    await reads[0]!.answer()
    expect(told).toEqual(['old'])
    // What rang meanwhile is looked at now, all of it at once.
    expect(reads).toHaveLength(2)
    await reads[1]!.answer()
    expect(told).toEqual(['old', 'new'])
    polling.close()
  })

  it('looks on after a store that failed, and stops with its last listener', async () => {
    const clock = new ManualClock()
    let count = 0
    const polling = new Polling(async () => {
      count++
      throw new Error('away')
    }, clock)
    const off = polling.subscribe('a', () => undefined)
    await clock.advance(2000)
    const before = count
    expect(before).toBeGreaterThan(3)
    off()
    await clock.advance(2000)

    expect(count).toBe(before)
    expect(polling.has('a')).toBe(false)
  })
})
