import { describe, expect, it } from '@jest/globals'
import {
  MaxRetriesExceededError,
  NotRegistered,
  TaskRevokedError,
  TimeLimitExceeded,
} from '../../src/kernel/errors.ts'
import {
  decodeFailure,
  encodeFailure,
  exceptionRepr,
  readException,
  RemoteError,
} from '../../src/protocol/failures.ts'
import { loadVector } from '../vectors.ts'

class PaymentRefused extends Error {}

class Named extends Error {
  override name = 'Own.Name'
}

describe('an error as Python reads it', () => {
  it.each<[unknown, string, string, unknown[]]>([
    [new Error('x'), 'celeriac', 'Error', ['x']],
    [new PaymentRefused('card'), 'celeriac', 'PaymentRefused', ['card']],
    [new Named('n'), 'celeriac', 'Own.Name', ['n']],
    [new TypeError('t'), 'builtins', 'TypeError', ['t']],
    [new RangeError('r'), 'builtins', 'ValueError', ['r']],
    [new SyntaxError('s'), 'builtins', 'ValueError', ['s']],
    [new ReferenceError('r'), 'builtins', 'NameError', ['r']],
    [new NotRegistered('no.such'), 'celery.exceptions', 'NotRegistered', ['no.such']],
    [new TaskRevokedError('expired'), 'celery.exceptions', 'TaskRevokedError', ['expired']],
    [new TimeLimitExceeded(1), 'billiard.exceptions', 'TimeLimitExceeded', [1]],
    [
      new MaxRetriesExceededError('t', 'i'),
      'celery.exceptions',
      'MaxRetriesExceededError',
      ['cannot retry t[i]: no retries are left'],
    ],
    [new RemoteError('Outer.E', 'proj', ['in', 4]), 'proj', 'Outer.E', ['in', 4]],
    ['only text', 'builtins', 'Exception', ['only text']],
    [undefined, 'builtins', 'Exception', ['None']],
    [{ code: 7 }, 'builtins', 'Exception', [{ code: 7 }]],
  ])('%p', (thrown, exc_module, exc_type, exc_message) => {
    expect(encodeFailure(thrown).exception).toEqual({ exc_type, exc_message, exc_module })
  })

  const cyclic: Record<string, unknown> = { a: 1 }
  cyclic['self'] = cyclic
  it.each<[string, unknown, unknown]>([
    ['a function', () => 1, expect.stringMatching(/^<function /)],
    ['a class instance', new (class Opaque {})(), '{}'],
    ['a cycle', cyclic, "{'a': 1, 'self': {'a': 1, 'self': {'a': 1, 'self': {...}}}}"],
    ['not a number', NaN, 'nan'],
    ['a map inside', [new Map([[1, 2]])], '[{1: 2}]'],
    ['what would be taken for a typed value', { __type__: 'x' }, "{'__type__': 'x'}"],
    ['plain data, which stays itself', { a: [1, null, 'x'] }, { a: [1, null, 'x'] }],
    ['a date, which serializers know', new Date(0), new Date(0)],
  ])('%s among the arguments is written as text when no serializer can carry it', (...row) => {
    const [, argument, expected] = row

    const { exception } = encodeFailure(new RemoteError('E', 'm', ['opaque', argument]))

    expect(exception.exc_message).toEqual(['opaque', expected])
  })

  it('survives errors that throw when they are read', () => {
    const hostile = new Error('x')
    Object.defineProperty(hostile, 'message', {
      get: () => {
        throw new Error('no')
      },
    })

    expect(encodeFailure(hostile).exception).toEqual({
      exc_type: 'Exception',
      exc_message: ['an error that cannot be read'],
      exc_module: 'builtins',
    })
  })

  it('has a one-line summary', () => {
    expect(encodeFailure(new RangeError('too big')).summary).toBe('ValueError: too big')
  })
})

describe('an error that came from elsewhere', () => {
  it.each<[unknown, string, string, unknown[], string]>([
    [
      { exc_type: 'ValueError', exc_message: ['x'], exc_module: 'builtins' },
      'ValueError',
      'builtins',
      ['x'],
      'ValueError: x',
    ],
    [{ exc_type: 'E', exc_message: ['a', 4], exc_module: 'm' }, 'E', 'm', ['a', 4], "E: ('a', 4)"],
    [{ exc_type: 'E', exc_message: [], exc_module: 'm' }, 'E', 'm', [], 'E'],
    [{ exc_type: 'E', exc_message: 'text' }, 'E', 'builtins', ['text'], 'E: text'],
    [{ exc_type: 'E', exc_message: [7] }, 'E', 'builtins', [7], 'E: 7'],
    ['plain text', 'Exception', 'builtins', ['plain text'], 'Exception: plain text'],
    [null, 'Exception', 'builtins', [], 'Exception'],
    [{}, 'Exception', 'builtins', [], 'Exception'],
    [['list'], 'Exception', 'builtins', [['list']], "Exception: ['list']"],
  ])('%j', (stored, excType, excModule, args, message) => {
    const error = decodeFailure(stored, null)

    expect(error).toBeInstanceOf(RemoteError)
    expect(error).toMatchObject({ excType, excModule, args, message, traceback: undefined })
  })

  it.each([
    'result-failure',
    'result-failure-keyerror',
    'result-failure-nested-class',
    'result-failure-unserializable',
    'result-failure-softlimit',
    'result-retry',
  ])('%s is passed on as it came', (name) => {
    const [record] = loadVector(name)['redis'] as {
      parsed: { result: unknown; traceback: string }
    }[]
    const { result, traceback } = record!.parsed

    const again = encodeFailure(decodeFailure(result, traceback))

    expect(again.exception).toEqual(result)
    expect(again.traceback).toBe(traceback)
  })

  it('keeps the parts peers leave out readable', () => {
    expect(readException({ exc_type: 'E' })).toEqual({
      exc_type: 'E',
      exc_message: [],
      exc_module: 'builtins',
    })
  })
})

describe('as Python shows an exception', () => {
  it.each([
    ['ValueError', ['part'], "ValueError('part')"],
    ['Outer.Nested', ['in', 42], "Nested('in', 42)"],
    ['E', [], 'E()'],
  ])('%s', (exc_type, exc_message, expected) => {
    expect(exceptionRepr({ exc_type, exc_message, exc_module: 'm' })).toBe(expected)
  })
})
