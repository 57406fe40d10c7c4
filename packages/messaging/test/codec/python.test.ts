import { readdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { BodyCodec } from '../../src/codec/body.ts'
import { compressors } from '../../src/compressors/index.ts'
import { makeZstd } from '../../src/compressors/zstd.ts'
import { message } from '../../src/message/message.ts'
import { serializers } from '../../src/serializers/index.ts'
import { described } from '../described.ts'

interface Serialized {
  readonly serializer: keyof typeof serializers
  readonly what: string
  readonly body_b64: string
  readonly value: unknown
}

interface Compressed {
  readonly compressor: string
  readonly content_type: string
  readonly what: string
  readonly body_b64: string
  readonly content_b64: string
}

function rowsOf<T>(name: string): T[] {
  const file = new URL(`../../../../vectors/codecs/${name}.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { rows: T[] }).rows
}

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))
const zstdPackage = makeZstd(undefined)

beforeAll(async () => {
  for (const codec of [...Object.values(serializers), ...Object.values(compressors), zstdPackage]) {
    await codec.load?.()
  }
})

describe('what Python serialized', () => {
  it.each(rowsOf<Serialized>('serializers'))('$serializer, $what', (row) => {
    const serializer = serializers[row.serializer]
    const value = serializer.decode(bytesOf(row.body_b64))
    expect(described(value)).toEqual(row.value)

    expect(described(serializer.decode(serializer.encode(value)))).toEqual(row.value)
  })
})

describe('what Python compressed', () => {
  const rows = rowsOf<Compressed>('compressors')

  it.each(rows)('$compressor, $what', ({ compressor, content_type, body_b64, content_b64 }) => {
    const found = Object.values(compressors).find((one) => one.names.includes(compressor))!
    expect(found.contentType).toBe(content_type)

    const content = found.decode(bytesOf(body_b64), 10_000)
    expect(Buffer.from(content).toString('base64')).toBe(content_b64)
  })

  it.each(rows.filter(({ compressor }) => compressor === 'zstd'))(
    'zstd by the package, $what',
    ({ body_b64, content_b64 }) => {
      const content = zstdPackage.decode(bytesOf(body_b64), 10_000)
      expect(Buffer.from(content).toString('base64')).toBe(content_b64)
    },
  )
})

describe('what Celery sent', () => {
  interface Captured {
    readonly messages: {
      readonly body_b64: string
      readonly envelope: {
        readonly 'content-type': string
        readonly headers: { readonly compression?: string }
      }
    }[]
  }
  const folder = new URL('../../../../vectors/', import.meta.url)
  const names = readdirSync(folder).filter((name) =>
    /^(?:ser-|compression-alias-|yaml-types|msgpack-types)/.test(name),
  )

  it.each(names)('%s', async (name) => {
    const file = readFileSync(new URL(name, folder), 'utf8')
    const { body_b64, envelope } = (JSON.parse(file) as Captured).messages[0]!
    const { compression } = envelope.headers
    const codec = new BodyCodec({
      serializers: Object.values(serializers),
      compressors: Object.values(compressors),
      accept: Object.keys(serializers),
      limitBytes: 10_000,
    })
    const arrived = message(
      bytesOf(body_b64),
      { contentType: envelope['content-type'] },
      compression === undefined ? {} : { compression },
    )
    await codec.prepareFor(arrived)

    expect(codec.decode(arrived)).toEqual([
      expect.any(Array),
      expect.any(Object),
      { callbacks: null, errbacks: null, chain: null, chord: null },
    ])
  })
})
