import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { compressors } from '../../src/compressors/index.ts'
import { makeZstd } from '../../src/compressors/zstd.ts'
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
