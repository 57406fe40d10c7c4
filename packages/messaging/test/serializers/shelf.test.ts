import { describe, it } from '@jest/globals'
import { serializers } from '../../src/serializers/index.ts'
import { Decimal, LocalDate, LocalTime, Uuid } from '../../src/serializers/json-values.ts'
import { serializerSuite, type SerializerHarness } from '../../src/testing/serializer-suite.ts'

const circle: unknown[] = []
circle.push(circle)

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

for (const [name, harness] of Object.entries(harnesses)) {
  serializerSuite(
    { describe, it },
    { serializer: serializers[name as keyof typeof serializers], ...harness },
  )
}
