import { describe, expect, it } from '@jest/globals'
import { TurnBatch } from '../../src/kernel/turn-batch.ts'

describe('TurnBatch', () => {
  const collecting = (limit?: number) => {
    const batches: (readonly number[])[] = []
    const batch = new TurnBatch<number, string>(async (items) => {
      batches.push(items)
      return `batch of ${items.length}`
    }, limit)
    return { batch, batches }
  }

  it('does what was asked for in one turn at once, in order', async () => {
    const { batch, batches } = collecting()
    const places = [1, 2, 3].map((n) => batch.add(n))
    expect(batches).toEqual([])

    expect(await Promise.all(places.map(({ done }) => done))).toEqual(Array(3).fill('batch of 3'))
    expect(places.map(({ index }) => index)).toEqual([0, 1, 2])
    expect(batches).toEqual([[1, 2, 3]])
  })

  it('begins a new batch in the next turn', async () => {
    const { batch, batches } = collecting()
    await batch.add(1).done
    await batch.add(2).done

    expect(batches).toEqual([[1], [2]])
  })

  it('never makes a batch above its limit', async () => {
    const { batch, batches } = collecting(2)
    await Promise.all([1, 2, 3, 4, 5].map((n) => batch.add(n).done))

    expect(batches).toEqual([[1, 2], [3, 4], [5]])
  })

  it('fails all of a batch together, and only those', async () => {
    let fails = true
    const batch = new TurnBatch<number, number>((items) =>
      fails ? Promise.reject(new Error('broken')) : Promise.resolve(items.length),
    )
    const both = [batch.add(1).done, batch.add(2).done]
    await expect(both[0]).rejects.toThrow('broken')
    await expect(both[1]).rejects.toThrow('broken')
    fails = false

    expect(await batch.add(3).done).toBe(1)
  })

  it('takes what is thrown for a failure', async () => {
    const batch = new TurnBatch<number, number>(() => {
      throw new Error('at once')
    })
    await expect(batch.add(1).done).rejects.toThrow('at once')
  })

  it('flushes early when told to', async () => {
    const { batch, batches } = collecting()
    const { done } = batch.add(1)
    batch.flushNow()

    expect(batches).toEqual([[1]])
    expect(batch.waiting).toBe(0)
    expect(await done).toBe('batch of 1')
  })
})
