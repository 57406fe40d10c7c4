// What we serialize and compress, read by Kombu in real Python through its own registries.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { expect, it } from '@jest/globals'
import { compressors, Decimal, LocalDate, LocalTime, serializers } from '@celeriac/messaging'
import { message, TimeDelta, Uuid } from '@celeriac/messaging'
import { BodyCodec } from '@celeriac/messaging/internal'
import { described } from '../fixtures/described.ts'
import { fixtures } from '../fixtures/children.ts'
import { describeWith, pythonPath } from '../services/brokers.ts'

interface Asked {
  readonly what: string
  readonly value: unknown
  readonly line: string
}

const texts = [
  '',
  ' ',
  'x',
  'é ß 😀',
  'a\nb\n',
  '\ttab',
  'a: b',
  '#',
  '- x',
  "it's",
  '"',
  'yes',
  'no',
  'y',
  'n',
  'on',
  'off',
  'null',
  '~',
  '=',
  '<<',
  '1',
  '1.0',
  '1e3',
  '1.e+3',
  '0x1f',
  '0o7',
  '08',
  '1_000',
  '+1',
  '190:20:30',
  '0:30',
  '.inf',
  '.nan',
  '.',
  '._',
  '.5',
  '2024-02-29',
  '2024-02-29 12:30:45',
  '---',
  '...',
  '[',
  '{',
  ']',
  ',',
  '*a',
  '&a',
  '!t',
  '%',
  '@',
  '`',
  '|',
  '>',
  '?',
  ':',
  '-',
  '\\',
  '\r\n',
  'a\rb',
  '\0\x1f\x7f\x80\x85\xa0\u2028\u2029\ufeff\ufffe\uffff',
  'x'.repeat(300),
  'two words '.repeat(30),
  '\ue000\ufffd\u{10ffff}',
  ' #',
  'a #b',
  'a:',
  ': a',
  '\n',
  ' \n ',
  '\n\n x',
  'ß'.repeat(70_000),
]
const common = {
  texts,
  keys: Object.fromEntries(texts.map((one, i) => [one.slice(0, 40), i])),
  numbers: [
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2 ** 31,
    -(2 ** 31) - 1,
    2 ** 40,
    -(2 ** 53) + 1,
  ],
  floats: [1.5, -0.1, 1e300, 1e21, 1e-7, 5e-324, 2 ** 53, 2 ** 64, Infinity, -Infinity, NaN],
  collections: [[], [[]], {}, { a: { b: [1, null, true] } }, Array(70_000).fill(1)],
  task: [[1, 'two', { k: [1.5] }], { n: null }, { callbacks: null, errbacks: null }],
}
const inherited = JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}') as unknown
const bytes = [new Uint8Array(), new Uint8Array([0, 255]), new Uint8Array(70_000).fill(200)]
const dates = [new Date('2024-02-29T12:30:45.123Z'), new Date(0), new LocalDate('2024-02-29')]
const uuid = new Uuid('12345678-1234-5678-1234-567812345678')
const values: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  json: {
    ...common,
    inherited,
    bytes: [new Uint8Array([0, 255])],
    large: [2n ** 64n, -(2n ** 200n)],
    others: [...dates, new LocalTime('01:02:03'), new Decimal('10.500'), uuid],
  },
  yaml: {
    ...common,
    inherited,
    bytes,
    dates,
    large: [2n ** 64n, -(2n ** 200n)],
    sets: new Set(['a', 'b', '=']),
  },
  msgpack: { ...common, bytes, large: [2n ** 64n - 1n, -(2n ** 63n)] },
  pickle: {
    ...common,
    inherited,
    bytes,
    dates,
    large: [2n ** 64n, -(2n ** 64n), 2n ** 3000n, -(2n ** 63n), 255n << 56n],
    sets: [new Set(), new Set([1, 'a', [1, [2]], new Set([3])])],
    keys: new Map<unknown, unknown>([
      [2, 'a'],
      [null, 'b'],
      [[1, 2], 'c'],
    ]),
    others: [
      new LocalTime('01:02:03.000004'),
      new LocalTime('01:02:00-05:30'),
      new Decimal('1E+30'),
      uuid,
    ],
    deltas: [new TimeDelta(-1, 2, 3), new TimeDelta(999_999_999), new TimeDelta(0)],
  },
}

function makeCodec(): BodyCodec {
  return new BodyCodec({
    serializers: Object.values(serializers),
    compressors: Object.values(compressors),
    accept: Object.keys(serializers),
    limitBytes: 10_000_000,
  })
}

/** Each value in each serializer once, and one value in each serializer with each compressor. */
async function questions(): Promise<Asked[]> {
  const codec = makeCodec()
  // Kombu knows no `deflate`.
  const compressions = Object.values(compressors).flatMap(({ names }) =>
    names.filter((name) => name !== 'deflate'),
  )
  const asked: Asked[] = []
  const ask = async (serializer: string, what: string, value: unknown, compression?: string) => {
    await codec.prepare(serializer, compression)
    const encoded = codec.encode(value, serializer, compression)
    asked.push({
      what: `${serializer}, ${compression ?? 'plain'}: ${what}`,
      value,
      line: JSON.stringify({
        body_b64: Buffer.from(encoded.body).toString('base64'),
        content_type: encoded.contentType,
        content_encoding: encoded.contentEncoding,
        compression: encoded.compression,
      }),
    })
    const back = message(
      encoded.body,
      { contentType: encoded.contentType },
      encoded.compression === undefined ? {} : { compression: encoded.compression },
    )
    expect(described(codec.decode(back))).toEqual(described(value))
  }
  for (const [serializer, named] of Object.entries(values)) {
    for (const [what, value] of Object.entries(named)) await ask(serializer, what, value)
    for (const compression of compressions) {
      await ask(serializer, 'texts', texts, compression)
      await ask(serializer, 'nothing', null, compression)
    }
  }
  return asked
}

async function answersTo(lines: readonly string[]): Promise<{ value?: unknown; error?: string }[]> {
  const python = spawn(pythonPath(), [`${fixtures}codecs.py`, 'check'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const answers: { value?: unknown; error?: string }[] = []
  const read = (async () => {
    for await (const line of createInterface({ input: python.stdout })) {
      answers.push(JSON.parse(line) as { value?: unknown; error?: string })
    }
  })()
  python.stdin.end(`${lines.join('\n')}\n`)
  await read
  return answers
}

describeWith('python', 'Kombu reads our bodies', () => {
  it('in every serializer, with every compressor, as the same values', async () => {
    const asked = await questions()
    const answers = await answersTo(asked.map(({ line }) => line))

    const wrong = asked.flatMap(({ what, value }, i) => {
      const { value: read, error } = answers[i] ?? { error: 'no answer' }
      if (error !== undefined) return [`${what}: ${error}`]
      const expected = JSON.stringify(sorted(described(value)))
      return JSON.stringify(sorted(read)) === expected ? [] : [`${what}: read as something else`]
    })
    expect(wrong).toEqual([])
    expect(answers).toHaveLength(asked.length)
    expect(asked.length).toBeGreaterThan(100)
  }, 60_000)
})

/** With keys in one order: mappings have none here and a sorted one in YAML. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([key, member]) => [key, sorted(member)] as const)
  return Object.fromEntries(members.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
