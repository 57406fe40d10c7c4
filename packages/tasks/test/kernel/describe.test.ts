import { describe as suite, expect, it } from '@jest/globals'
import { describe, describeArgs, describeKwargs } from '../../src/kernel/describe.ts'
import { capturedMessages } from '../vectors.ts'

suite('values', () => {
  const cyclic: unknown[] = [1]
  cyclic.push(cyclic)
  it.each<[unknown, string]>([
    [null, 'None'],
    [undefined, 'None'],
    [true, 'True'],
    [false, 'False'],
    [1, '1'],
    [1.5, '1.5'],
    [-0.25, '-0.25'],
    [NaN, 'nan'],
    [Infinity, 'inf'],
    [-Infinity, '-inf'],
    [1152921504606846976n, '1152921504606846976'],
    ['', "''"],
    ["it's", "'it\\'s'"],
    ['héllo 世界 😀', "'héllo 世界 😀'"],
    ['a\nb\r\t\u0000\u001b', "'a\\nb\\r\\t\\x00\\x1b'"],
    [[], '[]'],
    [[1, 'a', null], "[1, 'a', None]"],
    [{}, '{}'],
    [{ a: 1, b: { c: [] } }, "{'a': 1, 'b': {'c': []}}"],
    [new Map([[1, 'x']]), "{1: 'x'}"],
    [new Map(), '{}'],
    [new Set([1, 2]), '{1, 2}'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Date(NaN), '<invalid date>'],
    [new TextEncoder().encode('plain café'), "b'plain café'"],
    [new Uint8Array([0, 255, 254, 128]), "b'00fffe80'"],
    [new RangeError('big'), "RangeError('big')"],
    [Symbol('s'), '<Symbol(s)>'],
    [function work() {}, '<function work>'],
    [[1, [2, [3, [4]]]], '[1, [2, [3, [...]]]]'],
    [{ a: { b: { c: { d: 1 } } } }, "{'a': {'b': {'c': {...}}}}"],
    [cyclic, '[1, [1, [1, [...]]]]'],
  ])('%p', (value, expected) => {
    expect(describe(value)).toBe(expected)
  })

  it('never throws', () => {
    const hostile = {
      get boom(): never {
        throw new Error('no')
      },
    }

    expect(describe(hostile)).toBe('<cannot be shown>')
  })
})

suite('arguments', () => {
  it.each<[unknown[], string]>([
    [[], '()'],
    [[1], '(1,)'],
    [[1, 'two'], "(1, 'two')"],
    [[[1, [2, { k: 'v' }]]], '([1, [2, {...}]],)'],
  ])('%j', (args, expected) => {
    expect(describeArgs(args)).toBe(expected)
  })

  it.each<[Record<string, unknown>, string]>([
    [{}, '{}'],
    [{ q: "it's", n: { a: null } }, "{'q': 'it\\'s', 'n': {'a': None}}"],
  ])('%j by name', (kwargs, expected) => {
    expect(describeKwargs(kwargs)).toBe(expected)
  })

  it.each([
    'task-simple',
    'task-kwargs',
    'task-noargs',
    'task-shadow',
    'task-declared-options',
    'canvas-chain-partial',
    'retry-message',
    'chord-body-message',
  ])('look as in %s', (name) => {
    for (const { headers, body } of capturedMessages(name)) {
      if (!Array.isArray(body)) continue
      const [args, kwargs] = body as [unknown[], Record<string, unknown>]

      expect(describeArgs(args)).toBe(headers['argsrepr'])
      expect(describeKwargs(kwargs)).toBe(headers['kwargsrepr'])
    }
  })

  it('look as in task-mixed-args, but for the integer JavaScript cannot hold', () => {
    const [message] = capturedMessages('task-mixed-args')
    const [args, kwargs] = message!.body as [unknown[], Record<string, unknown>]
    args[4] = 1152921504606846976n

    expect(describeArgs(args)).toBe(message!.headers['argsrepr'])
    expect(describeKwargs(kwargs)).toBe(message!.headers['kwargsrepr'])
  })
})

suite('length', () => {
  it('ends near the limit, as in Celery', () => {
    const [message] = capturedMessages('task-argsrepr-truncated')
    const [args] = message!.body as [unknown[]]

    const text = describeArgs(args)

    expect(text.length).toBeLessThan(1050)
    expect(text).toMatch(/^\('xxx.*xxx\.\.\.', \.\.\.\)$/)
  })

  it.each<[string, unknown]>([
    ['a long list', Array.from({ length: 1e6 }, (_, place) => place)],
    ['many keys', Object.fromEntries(Array.from({ length: 1e4 }, (_, place) => [`k${place}`, 1]))],
    ['a long map', new Map(Array.from({ length: 1e4 }, (_, place) => [place, 1]))],
    ['long bytes', new Uint8Array(1e6)],
    ['a long text', 'y'.repeat(1e6)],
  ])('is kept for %s', (_name, value) => {
    const text = describe(value, { maxLength: 100 })

    expect(text.length).toBeGreaterThan(90)
    // Zero bytes take four characters each.
    expect(text.length).toBeLessThan(420)
    expect(text).toContain('...')
  })

  it('does not tear a pair of surrogates apart', () => {
    expect(describe('😀'.repeat(10), { maxLength: 5 })).toBe("'😀😀...'")
  })
})

suite('secrets', () => {
  it.each([
    'password',
    'PASSWORD',
    'userPassword',
    'passwd',
    'password_hash',
    'token',
    'access_token',
    'accessToken',
    'secret',
    'clientSecret',
    'Authorization',
    'api_key',
    'apiKey',
    'x-api-key',
  ])('under %s are not shown', (key) => {
    expect(describeKwargs({ [key]: 'hunter2' })).toBe(`{'${key}': '***'}`)
  })

  it.each(['user', 'max_tokens', 'tokenizer', 'key', 'author'])('%s is none', (key) => {
    expect(describeKwargs({ [key]: 'x' })).toBe(`{'${key}': 'x'}`)
  })

  it('are found inside other values', () => {
    expect(describeArgs([{ db: new Map([['password', 'x']]) }])).toBe(
      "({'db': {'password': '***'}},)",
    )
  })

  it('are shown on request', () => {
    expect(describe({ token: 'x' }, { redact: false })).toBe("{'token': 'x'}")
  })
})
