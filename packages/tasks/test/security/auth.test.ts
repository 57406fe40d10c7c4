import { describe, expect, it } from '@jest/globals'
import { serializers, systemClock, type Clock, type Serializer } from '@celeriac/messaging'
import { BodyCodec } from '@celeriac/messaging/internal'
import { SecurityError } from '../../src/kernel/errors.ts'
import { AuthSerializer } from '../../src/security/auth.ts'
import { Certificate } from '../../src/security/certificate.ts'
import { Digest } from '../../src/security/digest.ts'
import { pack, unpack } from '../../src/security/envelope.ts'
import { PrivateKey } from '../../src/security/private-key.ts'
import { CertificateStore } from '../../src/security/store.ts'
import { loadVector } from '../vectors.ts'
import { certificatePem, keyPem, rsaPair, type Pair } from './certificates.ts'

const own = rsaPair()
const other = rsaPair()
const ownPem = certificatePem(own)
const otherPem = certificatePem(other, { serialNumber: 43n })

interface Given {
  readonly pair?: Pair
  readonly pem?: string
  readonly trusted?: readonly string[]
  readonly digest?: string
  readonly inner?: Serializer
  readonly allowed?: readonly Serializer[]
  readonly clock?: Clock
}

function auth({
  pair = own,
  pem = ownPem,
  trusted = [ownPem],
  digest = 'sha256',
  inner = serializers.json,
  allowed = [],
  clock = systemClock,
}: Given = {}): AuthSerializer {
  return new AuthSerializer({
    key: new PrivateKey(keyPem(pair), undefined, 'key'),
    certificate: new Certificate(pem, 'cert'),
    store: new CertificateStore(trusted.map((one, i) => new Certificate(one, `trusted ${i}`))),
    digest: new Digest(digest),
    inner,
    allowed,
    clock,
  })
}

const value = [[1, 'é'], { k: null }, { chain: null }]

function refusal(of: AuthSerializer, bytes: Uint8Array): unknown {
  try {
    of.decode(bytes)
  } catch (error) {
    return error
  }
  return undefined
}

describe('signed messages', () => {
  it('come back as they were', () => {
    const bytes = auth().encode(value)

    expect(auth().decode(bytes)).toEqual(value)
    expect(Buffer.from(bytes).toString()).toMatch(/^[A-Za-z0-9+/]+=*$/)
    expect(unpack(bytes)).toMatchObject({
      signer: 'Tests signer 42',
      contentType: 'application/json',
      contentEncoding: 'utf-8',
    })
  })

  it.each(['sha1', 'sha224', 'sha256', 'SHA384', 'sha512', 'SHA3_256', 'sha512-256', 'md5'])(
    'are signed with %s',
    (digest) => {
      const bytes = auth({ digest }).encode(value)

      expect(auth({ digest }).decode(bytes)).toEqual(value)
      const another = digest === 'sha256' ? 'sha512' : 'sha256'
      expect(refusal(auth({ digest: another }), bytes)).toMatchObject({
        code: 'TASKS_SECURITY_SIGNATURE_INVALID',
      })
    },
  )

  it.each([1024, 2047, 3072])('are signed with a key of %i bits', (bits) => {
    const pair = rsaPair(bits)
    const pem = certificatePem(pair)
    const one = auth({ pair, pem, trusted: [pem] })

    expect(one.decode(one.encode(value))).toEqual(value)
  })

  it('carry separators in their bodies', async () => {
    const one = auth({ inner: serializers.msgpack })
    await one.load?.()
    const odd = ['\u0000\u0001', 'x\u0000\u0001\u0000\u0001y']
    const bytes = one.encode(odd)

    expect(Buffer.from(unpack(bytes).body).includes('\u0000\u0001')).toBe(true)
    expect(one.decode(bytes)).toEqual(odd)
  })

  it('are refused after any one byte was changed, whatever was made of it', () => {
    const one = auth()
    const good = Buffer.from(one.encode([[1], {}, {}]))
    const changes = [
      (byte: number) => byte ^ 1,
      (byte: number) => byte ^ 2,
      (byte: number) => byte ^ 32,
      (byte: number) => byte ^ 128,
      () => 0x3d,
      () => 0x0a,
      () => 0x41,
    ]
    let tried = 0
    for (let at = 0; at < good.length; at++) {
      for (const change of changes) {
        const bad = Buffer.from(good)
        bad[at] = change(good[at]!)
        if (bad.equals(good)) continue
        tried++
        expect(refusal(one, bad)).toBeInstanceOf(SecurityError)
      }
    }
    expect(tried).toBeGreaterThan(good.length * 5)
  })

  it('are refused after any one byte inside was changed', () => {
    const one = auth()
    const inside = Buffer.from(Buffer.from(one.encode([[1], {}, {}])).toString(), 'base64')
    for (let at = 0; at < inside.length; at++) {
      for (const bit of [1, 32, 128]) {
        const bad = Buffer.from(inside)
        bad[at] = bad[at]! ^ bit
        const bytes = Buffer.from(bad.toString('base64'))
        expect(refusal(one, bytes)).toBeInstanceOf(SecurityError)
      }
    }
  })

  it('are refused when they are cut anywhere, or longer', () => {
    const one = auth()
    const good = Buffer.from(one.encode([[1], {}, {}]))
    for (let length = 0; length < good.length; length++)
      expect(refusal(one, good.subarray(0, length))).toBeInstanceOf(SecurityError)
    for (const more of ['\n', ' ', 'A', 'AAAA', '='])
      expect(refusal(one, Buffer.concat([good, Buffer.from(more)]))).toBeInstanceOf(SecurityError)
  })

  it.each([0, 1, 2, 3])('are refused with %i separators', (count) => {
    const fields = ['eA==', 'eA==', 'application/json', 'utf-8', '[]'].slice(0, count + 1)
    const bytes = Buffer.from(Buffer.from(fields.join('\u0000\u0001')).toString('base64'))

    expect(refusal(auth(), bytes)).toMatchObject({
      code: 'TASKS_SECURITY_MESSAGE_INVALID',
      message: expect.stringContaining(`${count + 1} of 5 fields`),
    })
  })

  it('are refused with one separator more, which then is signed by nobody', () => {
    const signed = unpack(auth().encode(value))
    const body = Buffer.concat([Buffer.from('\u0000\u0001'), signed.body])

    expect(refusal(auth(), pack({ ...signed, body }))).toMatchObject({
      code: 'TASKS_SECURITY_SIGNATURE_INVALID',
    })
  })

  it('are refused from an unknown signer, and with the signature of another', () => {
    const bytes = auth({ pair: other, pem: otherPem }).encode(value)
    expect(refusal(auth(), bytes)).toMatchObject({
      name: 'SecurityError',
      code: 'TASKS_SECURITY_SIGNER_UNKNOWN',
      message: expect.stringMatching(/"Tests signer 43".*securityCertStore/),
    })

    const mixed = pack({ ...unpack(bytes), signer: 'Tests signer 42' })
    expect(refusal(auth({ trusted: [ownPem, otherPem] }), mixed)).toMatchObject({
      code: 'TASKS_SECURITY_SIGNATURE_INVALID',
    })
    expect(auth({ trusted: [ownPem, otherPem] }).decode(bytes)).toEqual(value)
  })

  it('are refused, and not written, after the certificate has expired', () => {
    const notAfter = new Date('2031-05-06T07:08:09Z')
    const pem = certificatePem(own, { notAfter })
    const at = (ms: number): Clock => ({ ...systemClock, now: () => ms })
    const before = auth({ pem, trusted: [pem], clock: at(notAfter.getTime() - 1) })
    const after = auth({ pem, trusted: [pem], clock: at(notAfter.getTime()) })
    const bytes = before.encode(value)

    expect(before.decode(bytes)).toEqual(value)
    expect(refusal(after, bytes)).toMatchObject({
      code: 'TASKS_SECURITY_CERTIFICATE_EXPIRED',
      message: expect.stringContaining('2031-05-06T07:08:09'),
    })
    expect(() => after.encode(value)).toThrow(
      expect.objectContaining({ code: 'TASKS_SECURITY_CERTIFICATE_EXPIRED' }),
    )
  })

  it('are refused with content that was not agreed on, though it is signed', () => {
    const signed = unpack(auth().encode(value))
    const relabelled = pack({ ...signed, contentType: 'application/x-yaml' })

    for (const bytes of [
      relabelled,
      pack({ ...signed, contentEncoding: 'binary' }),
      pack({ ...signed, contentType: 'application/x-python-serialize', contentEncoding: 'binary' }),
    ]) {
      expect(refusal(auth(), bytes)).toMatchObject({ code: 'TASKS_SECURITY_CONTENT_REFUSED' })
    }
  })

  it.each(['msgpack', 'yaml', 'pickle'] as const)('carry %s where it is allowed', async (name) => {
    const writer = auth({ inner: serializers[name] })
    await writer.load?.()
    const bytes = writer.encode({ a: [1, 'é'] })
    const reader = auth({ allowed: [serializers[name]] })
    await reader.load?.()

    expect(reader.decode(bytes)).toEqual({ a: [1, 'é'] })
    expect(refusal(auth(), bytes)).toMatchObject({ code: 'TASKS_SECURITY_CONTENT_REFUSED' })
  })
})

describe('messages that Python has signed', () => {
  const reader = (vector: Record<string, unknown>): BodyCodec =>
    new BodyCodec({
      serializers: [
        ...Object.values(serializers),
        auth({
          trusted: [vector['certificate_pem'] as string],
          allowed: [serializers.msgpack],
        }),
      ],
      compressors: [],
      accept: ['auth'],
      limitBytes: 1e6,
    })

  it.each(['signed-json', 'signed-msgpack', 'signed-chain'])('%s', async (name) => {
    const vector = loadVector(name)
    const codec = reader(vector)
    const [{ envelope, body_b64: body }] = vector['messages'] as [
      { envelope: Record<string, unknown>; body_b64: string },
    ]
    const unpacked = (vector['unpacked'] as Record<string, unknown>[])[0]!
    const message = {
      body: Buffer.from(body, 'base64'),
      headers: {},
      properties: {
        contentType: envelope['content-type'] as string,
        contentEncoding: envelope['content-encoding'] as string,
      },
    }
    await codec.prepareFor(message)

    expect(unpack(message.body)).toMatchObject({ signer: unpacked['signer'] })
    expect(codec.decode(message)).toMatchObject([[1, 2], expect.any(Object), expect.any(Object)])
    // Written again from its parts it is the same text.
    expect(pack(unpack(message.body))).toEqual(message.body)
    const tampered = { ...message, body: Buffer.from(message.body) }
    tampered.body[200] = tampered.body[200]! ^ 1
    expect(() => codec.decode(tampered)).toThrow(
      expect.objectContaining({
        code: 'MESSAGING_DECODE_FAILED',
        cause: expect.any(SecurityError),
      }),
    )
  })
})
