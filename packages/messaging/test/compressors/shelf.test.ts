import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { compressors } from '../../src/compressors/index.ts'
import { compressorSuite } from '../../src/testing/compressor-suite.ts'

for (const compressor of Object.values(compressors)) {
  beforeAll(async () => await compressor.load?.())

  compressorSuite({ describe, it }, { compressor })
}

describe('gzip', () => {
  it('writes the zlib stream Kombu expects under that name', () => {
    expect([...compressors.gzip.encode(Buffer.from('x')).subarray(0, 2)]).toEqual([0x78, 0x9c])
  })

  it('reads a real gzip stream too', () => {
    const bytes = compressors.gzip.decode(gzipSync('hello'), 100)

    expect(Buffer.from(bytes).toString()).toBe('hello')
  })
})

describe('what Kombu compressed', () => {
  it.each([
    'ser-json-gzip',
    'ser-json-brotli',
    'compression-alias-zlib',
    'compression-alias-application-x-gzip',
  ])('%s', (id) => {
    const file = new URL(`../../../../vectors/${id}.json`, import.meta.url)
    const { messages } = JSON.parse(readFileSync(file, 'utf8')) as {
      messages: {
        body_b64: string
        decompressed_b64: string
        envelope: { headers: { compression: string } }
      }[]
    }
    const { body_b64, decompressed_b64, envelope } = messages[0]!
    const compressor = Object.values(compressors).find(
      (one) => one.contentType === envelope.headers.compression,
    )

    const bytes = compressor!.decode(Buffer.from(body_b64, 'base64'), 10_000)

    expect(Buffer.from(bytes).toString('base64')).toBe(decompressed_b64)
  })
})
