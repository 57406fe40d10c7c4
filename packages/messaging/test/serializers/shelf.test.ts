import { beforeAll, describe, it } from '@jest/globals'
import { serializers } from '../../src/serializers/index.ts'
import { Decimal, LocalDate, LocalTime, Uuid } from '../../src/serializers/json-values.ts'
import { TimeDelta } from '../../src/serializers/time-delta.ts'
import { serializerSuite, type SerializerHarness } from '../../src/testing/serializer-suite.ts'

const circle: unknown[] = []
circle.push(circle)

/** What no format but pickle can carry more of. */
const common = {
  'a task body': [[1, 'two', 2.5, null, true], { k: [] }, { callbacks: null }],
  'a text': 'å ß 🎷 \u2028 "quoted"\n',
  'texts of all lengths': [
    '',
    'x'.repeat(31),
    'x'.repeat(255),
    'x'.repeat(256),
    'ß'.repeat(70_000),
  ],
  'long lists': [Array(15).fill(1), Array(16).fill(2), Array(70_000).fill(null)],
  'a long mapping': Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i])),
  bytes: [new Uint8Array([0, 255, 254, 128]), new Uint8Array(), new Uint8Array(70_000).fill(7)],
  integers: [0, -1, 127, -128, 255, 65_535, -32_769, 2 ** 31, -(2 ** 31) - 1, 2 ** 40, -(2 ** 40)],
  'large integers': [2n ** 53n, -(2n ** 60n), BigInt(2 ** 53) + 1n],
  'large doubles': [2 ** 53, -(2 ** 64), 1e300, 1e-7, Number.MAX_VALUE],
  'special floats': [NaN, Infinity, -Infinity],
}

const notSent = {
  undefined: undefined,
  'a function': () => 1,
  'a symbol': Symbol('s'),
  'undefined in a list': [1, undefined],
  'a hole in a list': Object.assign([], { length: 2 }),
  'a class instance': { a: new (class Point {})() },
  'a RegExp': [/x/],
  'an Error': [new Error('x')],
  'an invalid date': [new Date(NaN)],
  'half of a character': ['\ud83c'],
  'half of a character in a key': { '\ud83c': 1 },
  'a circle': circle,
  'endless depth': Array(100_000)
    .fill(0)
    .reduce((inner: unknown) => [inner], 1),
}

const deep = (open: string, close: string): Buffer =>
  Buffer.from(open.repeat(100_000) + close.repeat(100_000))

// Every entry of the shelf needs a row here: the type makes a missing one an error.
const harnesses: Record<keyof typeof serializers, Omit<SerializerHarness, 'serializer'>> = {
  json: {
    values: {
      'a task body': [[1, 'two', 2.5, null, true], { k: [] }, { callbacks: null }],
      'a text': 'å ß 🎷 \u2028 "quoted"\n',
      'a date and time': new Date('2024-02-29T12:30:45.123Z'),
      'a date and time on a second': [new Date(0)],
      'a date': { day: new LocalDate('2024-02-29') },
      'a time': [new LocalTime('23:59:58.000999')],
      'a decimal': [new Decimal('10.500')],
      'a uuid': [new Uuid('12345678123456781234567812345678')],
      'bytes of text': [new TextEncoder().encode('café')],
      bytes: [new Uint8Array([0, 255, 254, 128])],
      'no bytes': [new Uint8Array()],
      'large integers': [2n ** 53n, -(2n ** 64n)],
      'large doubles': [2 ** 53, -(2 ** 64), 1e300, Number.MAX_VALUE],
      'special floats': [NaN, Infinity, -Infinity],
      'a mapping that looks typed': { __type__: 'datetime', __value__: 'x', extra: 1 },
      'an inherited name': JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}'),
    },
    unsendable: {
      undefined: undefined,
      'a function': () => 1,
      'a symbol': Symbol('s'),
      'undefined in a list': [1, undefined],
      'a hole in a list': Object.assign([], { length: 2 }),
      'a Map': new Map(),
      'a Set': [new Set()],
      'a class instance': { a: new (class Point {})() },
      'a RegExp': [/x/],
      'an Error': [new Error('x')],
      'an invalid date': [new Date(NaN)],
      'a date Python has not': [new Date(8.64e15)],
      'a circle': circle,
    },
    malformed: {
      nothing: Buffer.from(''),
      'half a list': Buffer.from('[1, 2'),
      'two values': Buffer.from('1 2'),
      'a leading zero': Buffer.from('[01234567890123456789]'),
      'bytes that are not UTF-8': Buffer.from([0x22, 0xff, 0x22]),
      'an unknown type': Buffer.from('[{"__type__": "set", "__value__": []}]'),
      'a typed value of the wrong kind': Buffer.from('{"__type__": "datetime", "__value__": 1}'),
      'a day that does not exist': Buffer.from('{"__type__": "date", "__value__": "2023-02-29"}'),
      'an hour that does not exist': Buffer.from('{"__type__": "time", "__value__": "24:00"}'),
      'a decimal that is none': Buffer.from('{"__type__": "decimal", "__value__": "1,5"}'),
      'half a uuid': Buffer.from('{"__type__": "uuid", "__value__": {"hex": "1234"}}'),
      'base64 that is cut off': Buffer.from('{"__type__": "base64", "__value__": "AP/+g"}'),
      'an endless integer': Buffer.from(`[${'9'.repeat(5000)}]`),
    },
  },
  yaml: {
    values: {
      ...common,
      'texts that look like something else': {
        words: ['yes', 'no', 'on', 'null', '~', '', ' ', '=', '<<', '-', '?', ':', '#', '*a', '&a'],
        numbers: ['1', '0x1f', '1_0', '1e3', '1.0', '.5', '.inf', '190:20:30', '0o7', '0b1', '08'],
        dates: ['2024-02-29', '2024-02-29 12:30:45', '2001-12-14t21:59:43.10-05:00'],
        control: ['\0', '\x7f', '\x85', '\ufeff', '\uffff', '\r\n', 'a\n\n', '\ta', 'a: b', "'"],
      },
      'keys that look like something else': { yes: 1, '=': 2, '1': 3, '2024-02-29': 4, '': 5 },
      'an inherited name': JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}'),
      'a date and time': [new Date('2024-02-29T12:30:45.123Z'), new Date(0)],
      'a date': { day: new LocalDate('2024-02-29') },
      'a set': [new Set(['a', 1, null]), new Set()],
      'an integer without end': 7n ** 300n,
    },
    unsendable: {
      ...notSent,
      'a Map': new Map(),
      'a set of lists': new Set([[1]]),
      'a time': [new LocalTime('23:59:58')],
      'a decimal': [new Decimal('10.500')],
      'a uuid': [new Uuid('12345678123456781234567812345678')],
      'a length of time': [new TimeDelta(1)],
      'a date Python has not': [new Date(8.64e15)],
    },
    malformed: {
      'half a list': Buffer.from('[1, 2'),
      'two documents': Buffer.from('--- 1\n--- 2\n'),
      'an unknown tag': Buffer.from('!!python/object/apply:os.system [ls]'),
      'an alias of nothing': Buffer.from('*a'),
      'bytes that are not UTF-8': Buffer.from([0x22, 0xff, 0x22]),
      'a day that does not exist': Buffer.from('2023-02-29'),
      'an endless integer': Buffer.from('9'.repeat(5000)),
      'a value that contains itself': Buffer.from('&a [*a]'),
      'a value without end': Buffer.from(
        Array.from({ length: 30 }, (_, i) =>
          i === 0 ? 'a0: &a0 [1, 1]' : `a${i}: &a${i} [*a${i - 1}, *a${i - 1}]`,
        ).join('\n'),
      ),
      'endless depth': deep('[', ']'),
    },
  },
  msgpack: {
    values: {
      ...common,
      'a date and time': [new Date('2024-02-29T12:30:45.123Z'), new Date(0), new Date(-1)],
      'the largest integers': [2n ** 64n - 1n, -(2n ** 63n)],
    },
    unsendable: {
      ...notSent,
      'a Map': new Map(),
      'a Set': [new Set()],
      'a date without time': { day: new LocalDate('2024-02-29') },
      'a time': [new LocalTime('23:59:58')],
      'a decimal': [new Decimal('10.500')],
      'a uuid': [new Uuid('12345678123456781234567812345678')],
      'a length of time': [new TimeDelta(1)],
      'an integer that is too large': 2n ** 64n,
      'an inherited name': JSON.parse('{"__proto__": {"a": 1}}'),
    },
    malformed: {
      nothing: Buffer.from(''),
      'half a list': Buffer.from([0x92, 0x01]),
      'two values': Buffer.from([0x01, 0x01]),
      'more members than bytes': Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]),
      'lists in lists that announce too much': Buffer.concat(
        Array<Buffer>(1000).fill(Buffer.from([0xdc, 0xff, 0xff])),
      ),
      'a text that is not UTF-8': Buffer.from([0xa1, 0xff]),
      'a text that is cut off': Buffer.from([0xa5, 0x61]),
      'an unknown extension': Buffer.from([0xd4, 0x05, 0x00]),
      'a key that is no text': Buffer.from([0x81, 0xc0, 0x01]),
      'a time beyond all dates': Buffer.concat([
        Buffer.from([0xc7, 12, 0xff, 0, 0, 0, 0]),
        Buffer.alloc(8, 0x7f),
      ]),
      'a byte without meaning': Buffer.from([0xc1]),
      'endless depth': Buffer.alloc(100_000, 0x91),
    },
  },
  pickle: {
    values: {
      ...common,
      'an integer without end': [7n ** 3000n, -(7n ** 3000n)],
      'signs of integers': [127n, 128n, 255n, 256n, 32_768n].flatMap((n) => [
        Number(n),
        -Number(n),
        n << 64n,
        -(n << 64n),
      ]),
      'a date and time': [new Date('2024-02-29T12:30:45.123Z'), new Date(0)],
      'a date': { day: new LocalDate('2024-02-29') },
      'a time': [new LocalTime('23:59:58.000999'), new LocalTime('01:02:03-05:30')],
      'a length of time': [new TimeDelta(-1, 2, 3), new TimeDelta(0)],
      'a decimal': [new Decimal('10.500'), new Decimal('NaN')],
      'a uuid': [new Uuid('12345678123456781234567812345678'), new Uuid('0'.repeat(32))],
      'a Map': new Map<unknown, unknown>([
        [1, 'a'],
        [null, new Map([[true, 1]])],
      ]),
      'a Set': [new Set(['a', 1, null]), new Set()],
      'lists and sets in sets': new Set([[1, [2]], new Set([3]), new Date(0)]),
      'an inherited name': JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}'),
    },
    unsendable: {
      ...notSent,
      'a Set of mappings': new Set([{}]),
      'a Map with mappings as keys': new Map([[[{}], 1]]),
      'a date Python has not': [new Date(8.64e15)],
    },
    malformed: {
      nothing: Buffer.from(''),
      'a value without end': Buffer.from([0x80, 4, 0x4e]),
      'a frame that is cut off': Buffer.from([0x80, 4, 0x95, 9, 0, 0, 0, 0, 0, 0, 0, 0x4e, 0x2e]),
      'a protocol of the future': Buffer.from([0x80, 6, 0x4e, 0x2e]),
      'two values': Buffer.from('NN.'),
      'more after the end': Buffer.from('N.N'),
      'no value': Buffer.from('.'),
      'a mark as the value': Buffer.from('(.'),
      'a call of the system': Buffer.from("cos\nsystem\n(S'ls'\ntR."),
      'an attribute of something known': Buffer.from('cdatetime\ndatetime.now\n)R.'),
      'a class as the value': Buffer.from('cdatetime\ndatetime\n.'),
      'an instance of the old kind': Buffer.from('(ios\nsystem\n.'),
      'a persistent id': Buffer.from('Pabc\n.'),
      'an extension code': Buffer.from([0x80, 2, 0x82, 1, 0x2e]),
      'a value that contains itself': Buffer.from(']q\x00h\x00a.', 'latin1'),
      'a dict that contains itself': Buffer.from('}q\x00K\x01h\x00s.', 'latin1'),
      'a value that is not remembered': Buffer.from('h\x07.', 'latin1'),
      'a date that does not exist': Buffer.from(
        'cdatetime\ndate\n(C\x04\x07\xe8\x02\x1etR.',
        'latin1',
      ),
      'a text that is not UTF-8': Buffer.from([0x8c, 1, 0xff, 0x2e]),
      'an endless integer': Buffer.from(`I${'9'.repeat(5000)}\n.`),
      'a length beyond all bytes': Buffer.from([
        0x8d, 255, 255, 255, 255, 255, 255, 255, 127, 0x2e,
      ]),
      'endless depth': Buffer.concat([
        Buffer.alloc(100_000, ']'),
        Buffer.alloc(99_999, 'a'),
        Buffer.from('.'),
      ]),
      'a value without limit': Buffer.concat([
        Buffer.from(']'),
        Buffer.alloc(40, '2').map((_, i) => (i % 2 === 0 ? 0x32 : 0x86)),
        Buffer.from('.'),
      ]),
      'a shared text made many': Buffer.concat([
        Buffer.from('c_codecs\nencode\nq\0X\xa0\x86\x01\0', 'latin1'),
        Buffer.alloc(100_000, 'x'),
        Buffer.from('q\x01X\x06\0\0\0latin1q\x02(', 'latin1'),
        ...Array<Buffer>(100_000).fill(Buffer.from('h\0h\x01h\x02\x86R', 'latin1')),
        Buffer.from('l.'),
      ]),
    },
  },
  text: {
    values: { 'a text': 'å ß 🎷', 'an empty text': '' },
    unsendable: { 'a number': 1, null: null },
    malformed: { 'bytes that are not UTF-8': Buffer.from([0xff]) },
  },
  raw: {
    values: { bytes: new Uint8Array([0, 255]) },
    unsendable: { 'a text': 'x', null: null },
    malformed: {},
  },
}

beforeAll(async () => {
  for (const serializer of Object.values(serializers)) await serializer.load?.()
})

for (const [name, harness] of Object.entries(harnesses)) {
  serializerSuite(
    { describe, it },
    { serializer: serializers[name as keyof typeof serializers], ...harness },
  )
}
