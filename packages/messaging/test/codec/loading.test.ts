import { describe, expect, it } from '@jest/globals'
import { BodyCodec } from '../../src/codec/body.ts'
import type { Compressor } from '../../src/codec/compressor.ts'
import type { Serializer } from '../../src/codec/serializer.ts'
import { optionalPackage } from '../../src/kernel/optional-package.ts'
import { message } from '../../src/message/message.ts'
import { serializers } from '../../src/serializers/index.ts'

/** A codec that loads when it is told to. */
function lazy(load: () => Promise<void>): { serializer: Serializer; compressor: Compressor } {
  const serializer: Serializer = {
    name: 'lazy',
    contentType: 'application/x-lazy',
    contentEncoding: 'utf-8',
    load,
    encode: (value) => Buffer.from(String(value)),
    decode: (bytes) => Buffer.from(bytes).toString(),
  }
  const compressor: Compressor = {
    contentType: 'application/x-lazy-zip',
    names: ['lazy-zip'],
    load,
    encode: (bytes) => bytes,
    decode: (bytes) => bytes,
  }
  return { serializer, compressor }
}

function setup(load: () => Promise<void>, accept = ['json', 'lazy']): BodyCodec {
  const { serializer, compressor } = lazy(load)
  return new BodyCodec({
    serializers: [...Object.values(serializers), serializer],
    compressors: [compressor],
    accept,
    limitBytes: 1000,
  })
}

const arrived = message(
  Buffer.from('x'),
  { contentType: 'application/x-lazy' },
  { compression: 'application/x-lazy-zip' },
)

describe('what must be loaded', () => {
  it('is loaded once, whoever asks, and needs no waiting afterwards', async () => {
    let loads = 0
    const codec = setup(async () => {
      loads++
    })

    const waiting = [codec.prepare('lazy'), codec.prepare('lazy', 'lazy-zip')]
    expect(waiting.every((one) => one instanceof Promise)).toBe(true)
    await Promise.all([...waiting, codec.prepareFor(arrived)])

    expect(loads).toBe(2)
    expect(codec.prepare('lazy', 'lazy-zip')).toBeUndefined()
    expect(codec.prepareFor(arrived)).toBeUndefined()
    expect(codec.decode(arrived)).toBe('x')
  })

  it('is nothing for most', () => {
    const codec = setup(() => Promise.reject(new Error('not wanted')))

    expect(codec.prepare('json')).toBeUndefined()
    expect(codec.prepare('no-such-thing', 'nor-that')).toBeUndefined()
    expect(codec.prepareFor(message(Buffer.from('1'), { contentType: 'application/json' }))).toBe(
      undefined,
    )
  })

  it('is loaded for a compressed body that does not say what it is', async () => {
    const codec = setup(async () => undefined)
    const untyped = message(Buffer.from('x'), {}, { compression: 'lazy-zip' })

    await codec.prepareFor(untyped)
    expect(codec.decode(untyped)).toEqual(Buffer.from('x'))
  })

  it('is not loaded for content that is refused', () => {
    let loads = 0
    const codec = setup(async () => {
      loads++
    }, ['json'])

    expect(codec.prepareFor(arrived)).toBeUndefined()
    expect(loads).toBe(0)
  })

  it('says so when it is used too early', () => {
    const codec = setup(async () => undefined)

    const early = expect.objectContaining({ code: 'MESSAGING_NOT_LOADED' })
    expect(() => codec.encode(1, 'lazy')).toThrow(early)
    expect(() => codec.encode(1, 'json', 'lazy-zip')).toThrow(early)
    expect(() => codec.decode(arrived)).toThrow(early)
  })

  it('says what to install when it is missing, and is tried again', async () => {
    let isInstalled = false
    const codec = setup(
      async () =>
        await optionalPackage('lazy-driver', '^1.2.0', 'lazy', async () => {
          if (!isInstalled) throw new Error("Cannot find package 'lazy-driver'")
        }),
    )
    const missing = {
      code: 'MESSAGING_PACKAGE_MISSING',
      fault: 'message',
      message: expect.stringContaining('npm install lazy-driver@^1.2.0'),
    }

    await expect(codec.prepareFor(arrived)).rejects.toMatchObject(missing)
    expect(() => codec.decode(arrived)).toThrow(expect.objectContaining(missing))
    expect(() => codec.encode(1, 'lazy')).toThrow(expect.objectContaining(missing))

    isInstalled = true
    await codec.prepareFor(arrived)
    expect(codec.decode(arrived)).toBe('x')
  })
})

describe('content that is trusted always', () => {
  it.each([
    ['application/data', new Uint8Array(Buffer.from('x'))],
    ['application/text', 'x'],
    [undefined, new Uint8Array(Buffer.from('x'))],
  ])('%s', (contentType, value) => {
    const codec = setup(async () => undefined, ['json'])
    const properties = contentType === undefined ? {} : { contentType }

    expect(codec.decode(message(new Uint8Array(Buffer.from('x')), properties))).toEqual(value)
  })
})
