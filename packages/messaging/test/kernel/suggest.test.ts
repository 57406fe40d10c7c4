import { describe, expect, it } from '@jest/globals'
import { didYouMean, nearest } from '../../src/kernel/suggest.ts'

describe('nearest', () => {
  const known = ['heartbeat', 'publishTimeout', 'connectTimeout', 'failover']
  const cases: readonly [string, string | undefined][] = [
    ['heartbeat', 'heartbeat'],
    ['hearbeat', 'heartbeat'],
    ['HEARTBEAT', 'heartbeat'],
    ['publish_timeout', 'publishTimeout'],
    ['conectTimeout', 'connectTimeout'],
    ['something else', undefined],
    ['', undefined],
  ]
  it.each(cases)('of %j is %j', (name, expected) => {
    expect(nearest(name, known)).toBe(expected)
  })

  it('is told as a question, or not at all', () => {
    expect(didYouMean('failovr', known)).toBe(" Did you mean 'failover'?")
    expect(didYouMean('zzzzzzzz', known)).toBe('')
  })
})
