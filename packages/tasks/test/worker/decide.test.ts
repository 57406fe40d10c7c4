import { describe, expect, it } from '@jest/globals'
import { decide, type Decision, type Facts } from '../../src/worker/strategy/decide.ts'

const facts = (changes: Partial<Facts> = {}): Facts => ({
  nowMs: 1000,
  attempts: 0,
  maxDeliveries: 5,
  isRevoked: () => false,
  ...changes,
})
const task = (etaMs?: number, expiresMs?: number) => ({ id: 'i', etaMs, expiresMs })

describe('decide', () => {
  const cases: readonly [string, ReturnType<typeof task>, Partial<Facts>, Decision][] = [
    ['runs a plain task', task(), {}, { kind: 'run' }],
    ['runs what is due', task(1000), {}, { kind: 'run' }],
    ['runs what is due within a millisecond', task(1001), {}, { kind: 'run' }],
    ['holds what is not due', task(1500), {}, { kind: 'hold', untilMs: 1500 }],
    ['drops what has expired', task(undefined, 999), {}, { kind: 'drop', why: 'expired' }],
    ['runs in its last millisecond', task(undefined, 1000), {}, { kind: 'run' }],
    ['drops what expired while it was held', task(1500, 900), {}, { kind: 'drop', why: 'expired' }],
    ['drops what is revoked', task(), { isRevoked: () => true }, { kind: 'drop', why: 'revoked' }],
    ['runs a fifth time', task(), { attempts: 4 }, { kind: 'run' }],
    ['parks what took five workers', task(), { attempts: 5 }, { kind: 'park', why: 'deliveries' }],
    [
      'never parks without a limit',
      task(),
      { attempts: 99, maxDeliveries: Infinity },
      { kind: 'run' },
    ],
  ]
  it.each(cases)('%s', (_what, given, changes, expected) => {
    expect(decide(given, facts(changes))).toEqual(expected)
  })
})
