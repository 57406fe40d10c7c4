import { describe, expect, it } from '@jest/globals'
import { BodyCodec, type EncodedBody } from '../../src/codec/body.ts'
import { compressors } from '../../src/compressors/index.ts'
import { message, type Message } from '../../src/message/message.ts'
import { serializers } from '../../src/serializers/index.ts'

function setup(changes: { accept?: string[]; limitBytes?: number } = {}): BodyCodec {
  return new BodyCodec({
    serializers: Object.values(serializers),
    compressors: Object.values(compressors),
    accept: ['json'],
    limitBytes: 1000,
    ...changes,
  })
}

function carried({ body, compression, ...properties }: EncodedBody): Message {
  return message(body, properties, compression === undefined ? {} : { compression })
}

describe('body codec', () => {
  it.each([undefined, 'gzip', 'zlib', 'brotli', 'deflate'])(
    'round trip, compression %s',
    (compression) => {
      const codec = setup()

      const encoded = codec.encode([[1], {}, null], 'json', compression)

      expect(codec.decode(carried(encoded))).toEqual([[1], {}, null])
    },
  )

  it('describes the uncompressed body and names the compression by its canonical name', () => {
    expect(setup().encode([1], 'json', 'zlib')).toMatchObject({
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      compression: 'application/x-gzip',
    })
  })

  it('finds a serializer by its content type', () => {
    expect(setup().encode('x', 'text/plain').contentType).toBe('text/plain')
  })

  it('says where the value cannot be written', () => {
    expect(() => setup().encode({ a: [() => 1] }, 'json')).toThrow(
      expect.objectContaining({
        code: 'MESSAGING_ENCODE_FAILED',
        message: 'the value cannot be written as json: a[0]: a function cannot be sent',
      }),
    )
  })

  const body = Buffer.from('[1]')
  const bomb = compressors.gzip.encode(new Uint8Array(5000))
  it.each<[string, Uint8Array, Record<string, string>, string | undefined, string]>([
    ['content that is not accepted', body, {}, 'text/plain', 'MESSAGING_CONTENT_DISALLOWED'],
    [
      'a content type with a suffix',
      body,
      {},
      'application/json; charset=utf-8',
      'MESSAGING_CONTENT_UNKNOWN',
    ],
    [
      'a pickle that was not asked for',
      body,
      {},
      'application/x-python-serialize',
      'MESSAGING_CONTENT_DISALLOWED',
    ],
    [
      'unknown compression',
      body,
      { compression: 'application/x-lz4' },
      'application/json',
      'MESSAGING_CONTENT_UNKNOWN',
    ],
    [
      'damaged compression',
      body,
      { compression: 'application/x-gzip' },
      'application/json',
      'MESSAGING_DECODE_FAILED',
    ],
    ['damaged content', Buffer.from('[1'), {}, 'application/json', 'MESSAGING_DECODE_FAILED'],
    ['a long body', Buffer.alloc(1001, ' '), {}, 'application/json', 'MESSAGING_TOO_LARGE'],
    [
      'a body that would be too long',
      bomb,
      { compression: 'gzip' },
      'application/json',
      'MESSAGING_DECODE_FAILED',
    ],
  ])('refuses %s', (_, bytes, headers, contentType, code) => {
    const properties = contentType === undefined ? {} : { contentType }

    expect(() => setup().decode(message(bytes, properties, headers))).toThrow(
      expect.objectContaining({ code, fault: 'message' }),
    )
  })

  it('suggests the serializer that was meant', () => {
    expect(() => setup({ accept: ['jsno'] })).toThrow(/Did you mean 'json'\?/)
  })
})
