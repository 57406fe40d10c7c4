import { describe, expect, it } from '@jest/globals'
import {
  exceptionStates,
  isReady,
  outranks,
  precedence,
  propagateStates,
  readyStates,
  taskStates,
  unreadyStates,
} from '../../src/kernel/states.ts'

describe('states', () => {
  it('rank as Celery ranks them', () => {
    const shuffled = [
      'PENDING',
      'CUSTOM',
      'RETRY',
      'STARTED',
      'SUCCESS',
      'REJECTED',
      'REVOKED',
      'RECEIVED',
      'FAILURE',
    ]

    expect(shuffled.sort((a, b) => precedence(a) - precedence(b))).toEqual([
      'SUCCESS',
      'FAILURE',
      'CUSTOM',
      'REVOKED',
      'STARTED',
      'RECEIVED',
      'REJECTED',
      'RETRY',
      'PENDING',
    ])
  })

  it.each([
    ['SUCCESS', 'STARTED', true],
    ['STARTED', 'SUCCESS', false],
    ['STARTED', 'STARTED', false],
    ['PROGRESS', 'STARTED', true],
    ['PROGRESS', 'OTHER', false],
  ])('%s outranks %s: %s', (state, other, expected) => {
    expect(outranks(state, other)).toBe(expected)
  })

  it.each([
    ['SUCCESS', true],
    ['FAILURE', true],
    ['REVOKED', true],
    ['RETRY', false],
    ['IGNORED', false],
    ['PROGRESS', false],
  ])('%s is final: %s', (state, expected) => {
    expect(isReady(state)).toBe(expected)
  })

  it('is never both final and not', () => {
    expect(
      taskStates.filter((state) => readyStates.has(state) && unreadyStates.has(state)),
    ).toEqual([])
  })

  it('throw for those who wait only when they are final', () => {
    expect([...propagateStates].every(isReady)).toBe(true)
    expect([...exceptionStates].filter((state) => !propagateStates.has(state))).toEqual(['RETRY'])
  })
})
