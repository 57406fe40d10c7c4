import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { json, parseJson, stringifyJson, UnsendableError } from '../../src/serializers/json.ts'
import {
  Decimal,
  ExactDate,
  LocalDate,
  LocalTime,
  parseDateTime,
  Uuid,
} from '../../src/serializers/json-values.ts'

const vectors = new URL('../../../../vectors/', import.meta.url)

interface Entry {
  readonly body_b64: string
  readonly body_json: [unknown[], Record<string, unknown>, Record<string, unknown>]
}

function bodyOf(id: string): Entry {
  const file = readFileSync(new URL(`${id}.json`, vectors), 'utf8')
  return (JSON.parse(file) as { messages: Entry[] }).messages[0]!
}

const jsonVectors = readdirSync(vectors)
  .filter((file) => /^json-.*\.json$/.test(file) || file === 'ser-json-none.json')
  .map((file) => file.replace('.json', ''))

describe('what Kombu wrote', () => {
  it.each(jsonVectors)('%s: is written back with the same meaning', (id) => {
    const bytes = Buffer.from(bodyOf(id).body_b64, 'base64')

    const again = json.encode(json.decode(bytes))

    const compact = bytes.toString().replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, (_, text) => text ?? '')
    const escaped = Buffer.from(again)
      .toString()
      .replaceAll(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
    expect(escaped).toBe(compact)
  })

  it('reads all typed values', () => {
    const [, kwargs] = json.decode(
      Buffer.from(bodyOf('json-type-all').body_b64, 'base64'),
    ) as Entry['body_json']

    expect(kwargs).toEqual({
      datetime_aware: new Date('2024-02-29T12:30:45.123Z'),
      datetime_offset: new Date('2024-02-29T18:00:45Z'),
      datetime_naive: new Date('2024-02-29T12:30:45.000Z'),
      date: new LocalDate('2024-02-29'),
      time: new LocalTime('23:59:58.000999'),
      time_aware: new LocalTime('01:02:03+00:00'),
      decimal: new Decimal('10.500'),
      decimal_exp: new Decimal('1E+30'),
      uuid: new Uuid('12345678-1234-5678-1234-567812345678'),
      bytes_utf8: new TextEncoder().encode('plain café'),
      bytes_binary: new Uint8Array([0, 255, 254, 128]),
    })
  })

  it('reads special floats', () => {
    const bytes = Buffer.from(bodyOf('json-special-floats').body_b64, 'base64')

    expect((json.decode(bytes) as unknown[])[0]).toEqual([NaN, Infinity, -Infinity])
  })
})

describe('parseJson', () => {
  it.each<[string, unknown]>([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['[-9007199254740993]', [-9007199254740993n]],
    ['{"a":12345678901234567890}', { a: 12345678901234567890n }],
    ['[12345678901234567890.0]', [12345678901234567000]],
    ['[0.12345678901234567, 1e400]', [0.12345678901234566, Infinity]],
    [
      '["12345678901234567890", 12345678901234567890]',
      ['12345678901234567890', 12345678901234567890n],
    ],
    [String.raw`["\\\" 12345678901234567890", NaN]`, [String.raw`\" 12345678901234567890`, NaN]],
    ['["NaN", [Infinity, {"x": -Infinity}]]', ['NaN', [Infinity, { x: -Infinity }]]],
    ['[{"__celeriac__": 0}, NaN]', [{ __celeriac__: 0 }, NaN]],
    ['{"__type__": "date"}', { __type__: 'date' }],
    ['{"__type__":"bytes","__value__":"a"}', new TextEncoder().encode('a')],
    [
      '{"__type__":"decimal","__value__":"12345678901234567890"}',
      new Decimal('12345678901234567890'),
    ],
    [
      '{"a":{"__type__":"uuid","__value__":"12345678-1234-5678-1234-567812345678"}}',
      { a: new Uuid('12345678123456781234567812345678') },
    ],
  ])('%s', (text, value) => {
    expect(parseJson(text)).toStrictEqual(value)
  })

  it.each(['[-NaN]', '[1NaN]', '[nan]', '[+Infinity]', 'NaN NaN', '{"a": Infinit}', '"NaN', ''])(
    'refuses %s',
    (text) => {
      expect(() => parseJson(text)).toThrow(SyntaxError)
    },
  )

  it('names the unknown type and the known ones', () => {
    expect(() => parseJson('{"__type__": "set", "__value__": []}')).toThrow(
      /unknown __type__ "set"; known: datetime, date/,
    )
  })

  it('does not change the prototype of what it fills in', () => {
    const value = parseJson('{"__proto__": {"__type__": "date", "__value__": "2024-01-01"}}')

    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.entries(value as object)).toEqual([['__proto__', new LocalDate('2024-01-01')]])
  })

  it('reads long texts beside large integers', () => {
    const text = 'x"\\'.repeat(1_000_000)

    expect(parseJson(JSON.stringify([text, 1]).replace(/1\]$/, '12345678901234567890]'))).toEqual([
      text,
      12345678901234567890n,
    ])
  })
})

describe('stringifyJson', () => {
  it.each<[string, unknown, string]>([
    ['drops undefined members', { a: undefined, b: 1 }, '{"b":1}'],
    ['drops them beside typed values', { a: undefined, b: 1n }, '{"b":1}'],
    ['asks toJSON', { a: { toJSON: (key: string) => `<${key}>` } }, '{"a":"<a>"}'],
    ['sends what toJSON gives as a value of its own', { toJSON: () => [1n] }, '[1]'],
    ['sends a Buffer as bytes', Buffer.from('hi'), '{"__type__":"bytes","__value__":"hi"}'],
    [
      'sends bytes that are no text',
      new Uint8Array([255]),
      '{"__type__":"base64","__value__":"/w=="}',
    ],
    ['sends bigint as an integer', [10n ** 20n], '[100000000000000000000]'],
    ['keeps doubles doubles', [2 ** 60], '[1152921504606847000.0]'],
    ['reads mappings without prototype', Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    [
      'allows the same value twice',
      Array(2).fill(new Date(0)),
      '[{"__type__":"datetime","__value__":"1970-01-01T00:00:00+00:00"},{"__type__":"datetime","__value__":"1970-01-01T00:00:00+00:00"}]',
    ],
  ])('%s', (_, value, text) => {
    expect(stringifyJson(value)).toBe(text)
  })

  const circle: Record<string, unknown> = { a: [1] }
  circle['self'] = { again: circle }
  class Point {}

  it.each<[string, unknown, string]>([
    [
      'a function',
      { args: [1, { callback: () => 1 }] },
      'args[1].callback: a function cannot be sent',
    ],
    ['a symbol', [Symbol('x')], '[0]: a symbol cannot be sent'],
    ['undefined', undefined, 'undefined cannot be sent; use null'],
    [
      'a Map',
      { 'my key': new Map() },
      '["my key"]: a Map cannot be sent; use Object.fromEntries(map) or [...map]',
    ],
    [
      'an instance',
      [[new Point()]],
      '[0][0]: a Point cannot be sent; give it a toJSON method or send a plain object',
    ],
    ['a circle', circle, 'self.again: the value contains itself'],
    ['an invalid date', { at: new Date(NaN) }, 'at: an invalid Date cannot be sent'],
    ['a promise', { a: Promise.resolve(1) }, 'a: a Promise cannot be sent; await it first'],
  ])('names the place of %s', (_, value, message) => {
    expect(() => stringifyJson(value)).toThrow(new UnsendableError([], message))
  })

  it('gives the path as data', () => {
    const send = (): string => stringifyJson({ args: [1n, { callback: () => 1 }] })

    expect(send).toThrow(expect.objectContaining({ path: ['args', 1, 'callback'] }))
  })

  it('writes deep values', () => {
    let deep: unknown = 1
    for (let i = 0; i < 1000; i++) deep = [deep]

    expect(stringifyJson(deep)).toBe(`${'['.repeat(1000)}1${']'.repeat(1000)}`)
  })
})

describe('dates', () => {
  it.each<[string, string]>([
    ['2024-02-29T12:30:45.123456+00:00', '2024-02-29T12:30:45.123Z'],
    ['2024-02-29T12:30:45-05:30', '2024-02-29T18:00:45.000Z'],
    ['2024-02-29T12:30:45', '2024-02-29T12:30:45.000Z'],
    ['2024-02-29 12:30:45Z', '2024-02-29T12:30:45.000Z'],
    ['2024-02-29T12:30+01:00', '2024-02-29T11:30:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['0001-01-01T00:00:00+00:00', '0001-01-01T00:00:00.000Z'],
    ['2024-02-29T12:30:45.1+00:00', '2024-02-29T12:30:45.100Z'],
  ])('reads %s', (text, iso) => {
    expect(parseDateTime(text).toISOString()).toBe(iso)
  })

  it('is an ordinary Date when nothing more was said', () => {
    expect(parseDateTime('2024-02-29T12:30:45.123000+00:00')).not.toBeInstanceOf(ExactDate)
  })

  it('is written back exactly until it is changed', () => {
    const date = parseDateTime('2024-02-29T12:30:45.123456+02:00')
    expect(stringifyJson(date)).toContain('2024-02-29T12:30:45.123456+02:00')

    date.setUTCFullYear(2025)

    expect(stringifyJson(date)).toContain('2025-03-01T10:30:45.123000+00:00')
  })

  it('knows the parts of a time', () => {
    expect(new LocalTime('01:02:03.5-05:30').parts()).toEqual({
      hour: 1,
      minute: 2,
      second: 3,
      microsecond: 500000,
      offset: -19800,
    })
  })
})
