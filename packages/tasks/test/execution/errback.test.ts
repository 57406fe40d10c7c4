/** Which error callbacks are called in place, and with what. */
import { describe, expect, it } from '@jest/globals'
import { call } from '../../src/canvas/signature.ts'
import { parameterNames } from '../../src/execution/bind.ts'
import { callErrback, isCalledInPlace } from '../../src/execution/errback.ts'
import type { Runnable } from '../../src/execution/runnable.ts'
import { encodeFailure, RemoteError } from '../../src/protocol/failures.ts'

type Run = (...args: never[]) => unknown

function runnable(run: Run): Runnable {
  return {
    name: 'e',
    run: run as Runnable['run'],
    params: parameterNames(String(run)),
    options: { delivery: {} },
    declared: { delivery: {} },
  }
}

describe('an error callback', () => {
  it.each<[string, Run, unknown[], Record<string, unknown>, boolean]>([
    ['of the id', (_id: string) => 0, [], {}, false],
    ['of request and error', (_r: object, _e: Error) => 0, [], {}, true],
    ['of all three', (_r: object, _e: Error, _t: string) => 0, [], {}, true],
    ['of the id, with a note it has', (_id: string, _note: string) => 0, ['x'], {}, false],
    ['of the id, with a note by name', (_id: string, _note: string) => 0, [], { _note: 1 }, false],
    ['of the id, with other names', (_id: string, _o: object) => 0, [], { a: 1, b: 2 }, false],
    ['of the id and a default', (_id: string, _note = '') => 0, [], {}, false],
    ['of two, and a default it has', (_r: object, _e: Error, _t = '') => 0, ['x'], {}, true],
    ['of any number', (..._all: string[]) => 0, [], {}, false],
    ['of nothing', () => 0, [], {}, false],
  ])('%s', (_what, run, args, kwargs, inPlace) => {
    expect(isCalledInPlace(runnable(run), { args, kwargs })).toBe(inPlace)
  })

  it('that is not known here is sent', () => {
    expect(isCalledInPlace(undefined, { args: [], kwargs: {} })).toBe(false)
  })

  const log = {} as never
  const failed = { id: '1', task: 't', rootId: '1' }
  const failure = encodeFailure(new RangeError('far'))

  it('gets as much as it has room for, in front of what it has', async () => {
    const seen: unknown[][] = []
    const two = runnable((...args: never[]) => seen.push(args))
    const with2: Runnable = { ...two, params: ['request', 'error'] }
    await callErrback(with2, call('e'), failed, failure, log)
    const with3: Runnable = { ...two, params: ['request', 'error', 'note'] }
    await callErrback(with3, call('e', { args: ['x'] }), failed, failure, log)
    await callErrback({ ...two, params: ['...all'] }, call('e'), failed, failure, log)

    expect(seen.map((args) => args.length)).toEqual([2, 3, 3])
    expect(seen[0]).toEqual([failed, expect.any(RemoteError)])
    expect(seen[1]![2]).toBe('x')
    expect(seen[2]![2]).toContain('far')
  })
})
