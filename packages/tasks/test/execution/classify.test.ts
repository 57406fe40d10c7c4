import { describe, expect, it } from '@jest/globals'
import { automaticPause, classify, nextAttempt } from '../../src/execution/classify.ts'
import type { RunOptions } from '../../src/execution/runnable.ts'
import { Ignore, MaxRetriesExceededError, Reject, Retry } from '../../src/kernel/errors.ts'

const options = (changes: Partial<RunOptions> = {}): RunOptions => ({ delivery: {}, ...changes })
const attempt = (retries: number) => ({ id: 'i', task: 't', retries })
const half = (): number => 0.5

describe('classify', () => {
  it('takes an error as a failure', () => {
    const error = new Error('x')
    const found = classify(error, attempt(0), options(), half)
    expect(found).toEqual({ kind: 'failure', error, expected: false })
  })

  it('knows errors that were announced', () => {
    const found = classify(new RangeError('x'), attempt(0), options({ throws: [RangeError] }), half)
    expect(found).toMatchObject({ kind: 'failure', expected: true })
  })

  it('steers by Ignore, Reject and Retry', () => {
    expect(classify(new Ignore(), attempt(0), options(), half)).toEqual({ kind: 'ignore' })
    expect(classify(new Reject('no', true), attempt(0), options(), half)).toEqual({
      kind: 'reject',
      reason: 'no',
      requeue: true,
    })
    expect(classify(new Retry('r'), attempt(0), options(), half)).toMatchObject({ kind: 'retry' })
  })

  it.each([
    ['a class', RangeError],
    ['a name', 'RangeError'],
    ['a test', (error: unknown) => error instanceof RangeError],
  ])('retries by itself what %s matches', (_how, matcher) => {
    const found = classify(
      new RangeError('far'),
      attempt(1),
      options({ autoretryFor: [matcher], retryJitter: false }),
      half,
    )
    expect(found).toMatchObject({ kind: 'retry', retry: { options: { countdown: 2 } } })
  })

  it('does not retry what is excluded, unmatched, or out of retries', () => {
    const policy = options({ autoretryFor: [Error], dontAutoretryFor: [RangeError], maxRetries: 2 })
    expect(classify(new RangeError('x'), attempt(0), policy, half).kind).toBe('failure')
    expect(classify('text', attempt(0), policy, half).kind).toBe('failure')
    const error = new Error('the last')
    expect(classify(error, attempt(2), policy, half)).toEqual({
      kind: 'failure',
      error,
      expected: false,
    })
  })
})

describe('nextAttempt', () => {
  it('waits the default delay of the task', () => {
    const next = nextAttempt(attempt(0), options(), {})
    expect(next).toMatchObject({ name: 'Retry', options: { countdown: 180 } })
  })

  it('gives up after three retries unless told otherwise', () => {
    expect(nextAttempt(attempt(2), options(), {})).toBeInstanceOf(Retry)
    expect(nextAttempt(attempt(3), options(), {})).toBeInstanceOf(MaxRetriesExceededError)
    expect(nextAttempt(attempt(3), options({ maxRetries: 5 }), {})).toBeInstanceOf(Retry)
    expect(nextAttempt(attempt(999), options({ maxRetries: null }), {})).toBeInstanceOf(Retry)
    expect(nextAttempt(attempt(999), options(), { maxRetries: null })).toBeInstanceOf(Retry)
    expect(nextAttempt(attempt(1), options(), { maxRetries: 1 })).toBeInstanceOf(
      MaxRetriesExceededError,
    )
  })

  it('fails with the cause where there is one', () => {
    const cause = new Error('why')
    expect(nextAttempt(attempt(3), options(), { cause })).toBe(cause)
  })
})

describe('automaticPause', () => {
  const cases: readonly [retries: number, options: Partial<RunOptions>, seconds: number][] = [
    [0, {}, 0.5],
    [3, {}, 4],
    [3, { retryJitter: false }, 8],
    [2, { retryBackoff: 5, retryJitter: false }, 20],
    [20, { retryJitter: false }, 600],
    [20, { retryJitter: false, retryBackoffMax: 30 }, 30],
    [2, { retryBackoff: false, defaultRetryDelay: 7 }, 7],
  ]
  it.each(cases)('after %i retries with %j is %d s', (retries, changes, seconds) => {
    expect(automaticPause(retries, options(changes), half)).toBe(seconds)
  })
})
