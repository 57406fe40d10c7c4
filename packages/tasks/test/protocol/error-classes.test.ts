/** Errors that travel and come back: their class, cause, members and fields; nothing runs on the way. */
import { describe, expect, it } from '@jest/globals'
import {
  ChordError,
  MaxRetriesExceededError,
  NotRegistered,
  RemoteError,
  SoftTimeLimitExceeded,
  TaskRevokedError,
  TasksError,
  Terminated,
  TimeLimitExceeded,
  TimeoutError,
  WorkerLostError,
} from '../../src/index.ts'
import { registerError } from '../../src/protocol/error-classes.ts'
import { decodeFailure, encodeFailure } from '../../src/protocol/failures.ts'

/** Through JSON, as results travel. */
function back(thrown: unknown): RemoteError {
  const { exception, traceback } = encodeFailure(thrown)
  return decodeFailure(JSON.parse(JSON.stringify(exception)), traceback)
}

let constructed = 0
class PaymentError extends Error {
  readonly order: string
  readonly items: readonly number[]
  #secret = 'never sent'

  constructor(order: string, items: readonly number[], options?: ErrorOptions) {
    super(`no money for ${order}`, options)
    this.name = 'PaymentError'
    this.order = order
    this.items = items
    constructed++
  }

  get secret(): string {
    return this.#secret
  }

  set amount(_value: number) {
    constructed++
  }
}
registerError(PaymentError, {
  module: 'shop.errors',
  args: ({ message, order }) => [message, order],
  fields: ['order', 'items', 'absent'],
})

describe('errors of classes that are known', () => {
  it.each<[new (text: string) => Error, string, string, readonly unknown[], object]>([
    [TimeoutError, 'celery.exceptions', 'TimeoutError', ['late'], { code: 'TASKS_TIMEOUT' }],
    [TimeoutError, 'builtins', 'TimeoutError', ['late'], { message: 'late' }],
    [
      ChordError as never,
      'celery.exceptions',
      'ChordError',
      ['Dependency'],
      { message: 'Dependency' },
    ],
    [MaxRetriesExceededError as never, 'celery.exceptions', 'MaxRetriesExceededError', ['no'], {}],
    [NotRegistered, 'celery.exceptions', 'NotRegistered', ['t'], { task: 't', message: 't' }],
    [TaskRevokedError, 'celery.exceptions', 'TaskRevokedError', ['expired'], { reason: 'expired' }],
    [TaskRevokedError, 'celery.exceptions', 'TaskRevokedError', [], { reason: 'revoked' }],
    [SoftTimeLimitExceeded as never, 'billiard.exceptions', 'SoftTimeLimitExceeded', [], {}],
    [
      TimeLimitExceeded as never,
      'billiard.exceptions',
      'TimeLimitExceeded',
      [3.5],
      { seconds: 3.5 },
    ],
    [WorkerLostError, 'billiard.exceptions', 'WorkerLostError', ['signal 9'], {}],
    [Terminated, 'billiard.exceptions', 'Terminated', ['SIGTERM'], { signal: 'SIGTERM' }],
  ])('are of ours: %p', (type, exc_module, exc_type, exc_message, properties) => {
    const error = decodeFailure({ exc_module, exc_type, exc_message }, 'told there')

    expect(error).toBeInstanceOf(type)
    expect(error).toBeInstanceOf(TasksError)
    expect(error).toBeInstanceOf(RemoteError)
    const remote = { excType: exc_type, excModule: exc_module, args: exc_message }
    expect(error).toMatchObject({ ...remote, traceback: 'told there', ...properties })
  })

  it('know their seconds when they come back', () => {
    expect(back(new SoftTimeLimitExceeded(2.5))).toMatchObject({ seconds: 2.5 })
    expect(back(new TimeLimitExceeded(7))).toMatchObject({ seconds: 7 })
  })

  it('are of users: made without their constructor, with the fields that came', () => {
    const thrown = new PaymentError('o-1', [1, 2], { cause: new RangeError('empty') })
    const { exception } = encodeFailure(thrown)
    const before = constructed
    const error = back(thrown)

    expect(exception).toMatchObject({
      exc_type: 'PaymentError',
      exc_module: 'shop.errors',
      exc_message: ['no money for o-1', 'o-1'],
      celeriac: { fields: { order: 'o-1', items: [1, 2] } },
    })
    expect(constructed).toBe(before)
    expect(error).toBeInstanceOf(PaymentError)
    expect(error).toBeInstanceOf(RemoteError)
    expect(error).toMatchObject({
      name: 'PaymentError',
      message: 'no money for o-1',
      order: 'o-1',
      items: [1, 2],
    })
    expect(error.cause).toMatchObject({ excType: 'ValueError', args: ['empty'] })
    expect(error.stack).toContain('error-classes.test')
    expect(RemoteError.of(error)).toMatchObject({ name: 'RemoteError', excModule: 'shop.errors' })
    expect(encodeFailure(error).exception).toEqual(exception)
  })

  it('run no setter, and take no name that means something else', () => {
    const before = constructed
    const fields = { amount: 1, stack: 'x', message: 'x', __proto__: { y: 1 }, constructor: 'x' }
    const error = decodeFailure({
      exc_type: 'PaymentError',
      exc_module: 'shop.errors',
      exc_message: ['m'],
      celeriac: { fields: JSON.parse(JSON.stringify(fields)) },
    })

    expect(constructed).toBe(before)
    expect(error).toMatchObject({ amount: 1, message: 'm' })
    expect(error.constructor).toBe(PaymentError)
  })

  it('can be made as the user wants, and stay what they are when that fails', () => {
    class Made extends Error {
      seen = true
    }
    registerError(Made, {
      revive: ({ args }) => {
        if (args[0] === 'fail') throw new Error('cannot')
        return new Made(String(args[0]))
      },
    })

    expect(back(new Made('ok'))).toMatchObject({ seen: true, message: 'ok', excType: 'Made' })
    const failed = back(new Made('fail'))
    expect(failed).not.toBeInstanceOf(Made)
    expect(failed).toMatchObject({ name: 'RemoteError', args: ['fail'] })
  })

  it('have names of their own', () => {
    class Other extends Error {}
    class Twice extends Error {}
    const taken = { module: 'shop.errors', type: 'PaymentError' }

    expect(() => registerError(Other, taken)).toThrow(/registered as shop.errors.PaymentError/)
    expect(() => registerError(class extends Error {}, { type: '' })).toThrow(/needs a name/)
    expect(() => registerError(Map as never)).toThrow(/extends Error/)
    registerError(Twice, { type: 'First' })
    registerError(Twice, { type: 'Second' })
    const named = (exc_type: string) =>
      decodeFailure({ exc_type, exc_module: 'celeriac', exc_message: [] })
    expect(named('First')).not.toBeInstanceOf(Twice)
    expect(named('Second')).toBeInstanceOf(Twice)
  })

  it('are found by nothing but their own names', () => {
    for (const exc_type of ['__proto__', 'constructor', 'toString', 'Function', 'PaymentError']) {
      for (const exc_module of ['', 'builtins', 'celeriac', 'node:fs']) {
        const error = decodeFailure({ exc_type, exc_module, exc_message: ['x'] })
        expect(error.constructor).toBe(RemoteError)
      }
    }
  })
})

describe('errors of classes that are not known', () => {
  it('keep causes, with theirs', () => {
    const root = new Error('root')
    const error = back(new TypeError('top', { cause: new Error('middle', { cause: root }) }))

    expect(error.cause).toMatchObject({ excType: 'Error', args: ['middle'] })
    expect((error.cause as Error).cause).toMatchObject({ args: ['root'] })
    expect(error.traceback).toMatch(/Error: root[^]*Error: middle[^]*TypeError: top/)
    expect(back(new Error('x', { cause: 'a text' })).cause).toMatchObject({ args: ['a text'] })
  })

  it('keep the errors of an AggregateError', () => {
    const error = back(new AggregateError([new RangeError('one'), 'two'], 'all failed'))

    expect(error).toMatchObject({ excType: 'AggregateError', args: ['all failed'] })
    expect(error.errors).toMatchObject([
      { excType: 'ValueError', args: ['one'] },
      { excType: 'Exception', args: ['two'] },
    ])
    expect(error.traceback).toContain('ValueError: one')
    expect(error.traceback).toMatch(/AggregateError: all failed\n$/)
  })

  it('keep plain fields, and nothing in which secrets lie', () => {
    const request = { headers: { authorization: 'secret' } }
    const fields = { code: 'ENOENT', errno: -2, syscall: 'open', request, long: 'x'.repeat(2000) }
    const error = back(Object.assign(new Error('no file'), fields))

    expect(error.fields).toEqual({ code: 'ENOENT', errno: -2, syscall: 'open' })
    expect(JSON.stringify(encodeFailure(Object.assign(new Error('x'), fields)))).not.toContain(
      'secret',
    )
  })

  it('end where causes go in circles, or never end', () => {
    const circle = new Error('circle')
    circle.cause = circle
    let deep = new Error('deep')
    for (let i = 0; i < 1000; i++) deep = new Error(`deep ${i}`, { cause: deep })
    const many = new AggregateError(Array.from({ length: 1000 }, (_, i) => new Error(`e${i}`)))

    for (const thrown of [circle, deep, many])
      expect(JSON.stringify(encodeFailure(thrown)).length).toBeLessThan(60_000)
    expect(back(many).errors).toHaveLength(10)
  })

  it('have the text of what Python raised them from', () => {
    const traceback = [
      'Traceback (most recent call last):',
      '  File "/a.py", line 1, in one',
      '    raise KeyError("k")',
      "KeyError: 'k'",
      '',
      'During handling of the above exception, another exception occurred:',
      '',
      'Traceback (most recent call last):',
      '  File "/a.py", line 2, in two',
      'shop.errors.Broken: two',
      'lines',
      '',
      'The above exception was the direct cause of the following exception:',
      '',
      'Traceback (most recent call last):',
      '  File "/a.py", line 3, in three',
      'ValueError: x',
      '',
    ].join('\n')
    const stored = { exc_type: 'ValueError', exc_module: 'builtins', exc_message: ['x'] }
    const error = decodeFailure(stored, traceback)

    expect(error.cause).toMatchObject({
      excType: 'Broken',
      excModule: 'shop.errors',
      args: ['two\nlines'],
      cause: { excType: 'KeyError', excModule: 'builtins', args: ["'k'"] },
    })
    expect(encodeFailure(error)).toMatchObject({ exception: stored, traceback })
    expect(encodeFailure(error).exception).not.toHaveProperty('celeriac')
  })

  it('are read whatever a peer has stored', () => {
    const broken: unknown[] = [
      { celeriac: 7 },
      { celeriac: { fields: [], cause: 'x', errors: {} } },
      {
        celeriac: { cause: { celeriac: { cause: null } }, errors: [null, 1, [], { exc_type: 3 }] },
      },
      { exc_type: {}, exc_message: {}, exc_module: [] },
      [[[]]],
      0,
      '',
      true,
    ]
    for (const stored of broken) {
      const error = decodeFailure(stored, 'not a traceback')
      expect(error).toBeInstanceOf(RemoteError)
      expect(() => encodeFailure(error)).not.toThrow()
    }
  })
})

describe('instanceof RemoteError', () => {
  it('tells errors of tasks from those of waiting', () => {
    class Special extends RemoteError {}
    const remote = decodeFailure({ exc_type: 'TimeoutError', exc_module: 'builtins' })

    expect(remote).toBeInstanceOf(TimeoutError)
    expect(remote).toBeInstanceOf(RemoteError)
    expect(new TimeoutError('here')).not.toBeInstanceOf(RemoteError)
    expect(remote).not.toBeInstanceOf(Special)
    expect(new Special('E', 'm', [])).toBeInstanceOf(Special)
    expect([null, undefined, 'x', {}].some((one) => (one as unknown) instanceof RemoteError)).toBe(
      false,
    )
  })
})
