import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { serializers, systemClock } from '@celeriac/messaging'
import { resolve } from '../../src/config/resolve.ts'
import type { Settings } from '../../src/config/options.ts'
import { Celeriac } from '../../src/index.ts'
import { Certificate } from '../../src/security/certificate.ts'
import { readStore } from '../../src/security/store.ts'
import { authSerializer, type SecurityOptions } from '../../src/security/setup.ts'
import {
  certificatePem,
  ecPair,
  keyPem,
  rsaPair,
  type CertificateOptions,
  type Pair,
} from './certificates.ts'

const pair = rsaPair()
const pem = certificatePem(pair)
const past = new Date('2021-01-01T00:00:00Z')
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'celeriac-security-'))
  await put('me.key', keyPem(pair))
  await put('locked.key', keyPem(pair, 'secret'))
  await put('me.pem', pem)
  await put('store/me.pem', pem)
  await put('store/.hidden', 'no certificate')
  await mkdir(join(folder, 'store/within'))
  await mkdir(join(folder, 'empty'))
})
afterAll(async () => await rm(folder, { recursive: true }))

async function put(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, text)
  return path
}

const settings = (more: Settings = {}) =>
  resolve([
    {
      from: 'test',
      settings: {
        taskSerializer: 'auth',
        acceptContent: ['auth'],
        securityKey: join(folder, 'me.key'),
        securityCertificate: join(folder, 'me.pem'),
        securityCertStore: join(folder, 'store'),
        ...more,
      },
    },
  ]).config

const made = (options: SecurityOptions = {}, more: Settings = {}) =>
  authSerializer(settings(more), options, {
    clock: systemClock,
    serializers: Object.values(serializers),
  })

describe('the settings of signed messages', () => {
  it('are enough', async () => {
    const auth = await made()

    expect(auth).toMatchObject({
      name: 'auth',
      contentType: 'application/data',
      contentEncoding: 'utf-8',
    })
    expect(auth.decode(auth.encode([1]))).toEqual([1])
  })

  it('may be given in code, as paths or as the texts themselves', async () => {
    const none = { securityKey: null, securityCertificate: null, securityCertStore: null }
    const store = join(folder, '*tore', 'm?.p[a-e]m')

    const auth = await made({ key: keyPem(pair), cert: pem, store, digest: 'SHA512' }, none)

    expect(auth.decode(auth.encode([1]))).toEqual([1])
  })

  it.each(['secret', new TextEncoder().encode('secret')])(
    'may say the password of the key',
    async (keyPassword) => {
      const auth = await made({ key: join(folder, 'locked.key'), keyPassword })

      expect(auth.decode(auth.encode([1]))).toEqual([1])
    },
  )

  it.each([
    ['taskSerializer', { taskSerializer: 'json' }],
    ['acceptContent', { acceptContent: ['auth', 'json'] }],
    ['acceptContent', { acceptContent: ['json'] }],
    ['securityKey', { securityKey: null }],
    ['securityCertificate', { securityCertificate: null }],
    ['securityCertStore', { securityCertStore: null }],
    ['securityDigest', { securityDigest: 'sha257' }],
    ['securityKey', { securityKey: '/no/such/file' }],
    ['securityCertificate', { securityCertificate: '/no/such/file' }],
    ['securityCertStore', { securityCertStore: '/no/such/folder' }],
    ['securityCertStore', { securityCertStore: '/no/such/*.pem' }],
  ] as [string, Settings][])('wrong %s is refused: %j', async (name, more) => {
    await expect(made({}, more)).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'TASKS_CONFIG_INVALID',
      message: expect.stringContaining(name),
    })
  })

  it.each([
    [{ serializer: 'jsn' }, "'json'"],
    [{ allowedSerializers: ['json', 'yml'] }, 'yaml'],
  ])('an unknown serializer is refused: %j', async (options, hint) => {
    await expect(made(options)).rejects.toMatchObject({
      code: 'TASKS_CONFIG_INVALID',
      message: expect.stringContaining(hint),
    })
  })

  it('an empty store is refused', async () => {
    await expect(made({ store: join(folder, 'empty') })).rejects.toMatchObject({
      code: 'TASKS_CONFIG_INVALID',
    })
  })
})

describe('keys that cannot be used', () => {
  const short = rsaPair(512)
  const cases: [string, () => SecurityOptions, RegExp][] = [
    ['no key', () => ({ key: join(folder, 'me.pem') }), /no private key in PEM/],
    ['a missing password', () => ({ key: join(folder, 'locked.key') }), /securityKeyPassword/],
    [
      'a wrong password',
      () => ({ key: join(folder, 'locked.key'), keyPassword: 'sesame' }),
      /password is another/,
    ],
    ['another kind of key', () => ({ key: keyPem(ecPair()) }), /type ec; only RSA/],
    [
      'the key of somebody else',
      () => ({ key: keyPem(rsaPair()) }),
      /not the key of the certificate/,
    ],
    [
      'a key that is too short',
      () => ({ key: keyPem(short), cert: certificatePem(short), digest: 'sha512' }),
      /512 bits, which are too few for sha512/,
    ],
  ]
  it.each(cases)('%s', async (_what, options, message) => {
    const error: unknown = await made(options()).catch((thrown: unknown) => thrown)

    expect(error).toMatchObject({
      name: 'SecurityError',
      code: 'TASKS_SECURITY_KEY_INVALID',
      message: expect.stringMatching(message),
    })
  })

  it('never stand in an error, in whatever form they are given', async () => {
    const text = keyPem(pair)
    const bare = text.replaceAll(/-----[^-]+-----|\n/g, '')
    const broken = text.replace('END PRIVATE', 'END')
    for (const key of [bare, broken, `${text.slice(0, 500)}`, text.replaceAll('\n', ' ')]) {
      const error = (await made({ key, keyPassword: 'hush-hush' }).catch(
        (thrown: unknown) => thrown,
      )) as Error
      let all = ''
      for (let one: unknown = error; one instanceof Error; one = one.cause)
        all += `${one.message} ${String(one.stack)} ${JSON.stringify(one)}`
      expect(all).not.toContain(bare.slice(40, 60))
      expect(all).not.toContain('hush-hush')
    }
  })
})

describe('certificates', () => {
  const of = (options: CertificateOptions, by: Pair = pair) =>
    new Certificate(certificatePem(by, options), 'test')

  it.each<[string, CertificateOptions, string]>([
    ['plain', { serialNumber: 1n }, 'Tests signer 1'],
    [
      'everything that has a meaning in names',
      {
        issuer: [
          { oid: 'O', value: 'A, B + C = "D" \\ <E>; #F' },
          { oid: 'CN', value: ' #spaces ' },
        ],
      },
      'A, B + C = "D" \\ <E>; #F  #spaces  42',
    ],
    [
      'lines and characters beyond ASCII',
      { issuer: [{ oid: 'O', value: 'Zażółć 日本\nCN=x 🐇\u0001' }] },
      'Zażółć 日本\nCN=x 🐇\u0001 42',
    ],
    [
      'several values in one part',
      {
        issuer: [
          [
            { oid: 'O', value: 'one' },
            { oid: 'OU', value: 'two' },
          ],
          { oid: 'CN', value: 'three' },
        ],
      },
      'one two three 42',
    ],
    [
      'other encodings',
      {
        issuer: [
          { oid: 'C', value: 'NO', as: 'printable' },
          { oid: 'O', value: 'ia5', as: 'ia5' },
          { oid: 'OU', value: 'ążść', as: 'bmp' },
          { oid: 'CN', value: '🐇 x', as: 'universal' },
        ],
      },
      'NO ia5 ążść 🐇 x 42',
    ],
    ['a long name', { issuer: [{ oid: 'CN', value: 'x'.repeat(300) }] }, `${'x'.repeat(300)} 42`],
    ['no issuer', { issuer: [] }, '42'],
    ['a long number', { serialNumber: 2n ** 159n - 1n }, `Tests signer ${2n ** 159n - 1n}`],
    ['a number with its highest bit set', { serialNumber: 255n }, 'Tests signer 255'],
  ])('have the id of Celery: %s', (_what, options, id) => {
    expect(of(options).id).toBe(id)
  })

  it.each([
    ['text', () => 'no certificate', /is no certificate/],
    ['a key', () => keyPem(pair), /is no certificate/],
    ['half of one', () => pem.slice(0, 400), /is no certificate/],
    ['one without an RSA key', () => certificatePem(ecPair()), /type ec; only RSA/],
    [
      'an issuer that is no text',
      () => certificatePem(pair, { issuer: [{ oid: 'CN', value: 'x', as: 'bits' }] }),
      /no text/,
    ],
  ])('%s is refused', (_what, text, message) => {
    expect(() => new Certificate(text(), 'the file')).toThrow(
      expect.objectContaining({
        name: 'SecurityError',
        code: 'TASKS_SECURITY_CERTIFICATE_INVALID',
        message: expect.stringMatching(new RegExp(`the file .*${message.source}`)),
      }),
    )
  })

  it('of our own that has expired is refused', async () => {
    const cert = certificatePem(pair, { notAfter: past })

    await expect(made({ cert })).rejects.toMatchObject({
      code: 'TASKS_SECURITY_CERTIFICATE_EXPIRED',
      message: expect.stringContaining('2021-01-01'),
    })
  })
})

describe('the store', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')

  it('is a directory, without what is hidden and what lies within', async () => {
    const store = await readStore(join(folder, 'store'), now)

    expect([store.size, store.get('Tests signer 42')?.id]).toEqual([1, 'Tests signer 42'])
  })

  it('is a glob', async () => {
    for (const [i, name] of ['a.pem', 'b.pem', 'c.crt', '[x].pem'].entries())
      await put(
        `many/${i % 2 === 0 ? 'even' : 'odd'}/${name}`,
        certificatePem(pair, { serialNumber: BigInt(i) }),
      )
    const sizes = async (...globs: string[]) =>
      await Promise.all(globs.map(async (glob) => (await readStore(join(folder, glob), now)).size))

    expect(
      await sizes(
        'many/*/*.pem',
        'many/even/*',
        'many/o*/[ab].pem',
        'many/*/[!ab].*',
        'many/even/?.crt',
        'many/*/[[]x].pem',
        'm*y/even/a.pem',
      ),
    ).toEqual([3, 2, 1, 1, 1, 1, 1])
  })

  it.each([
    ['EXPIRED', certificatePem(pair, { notAfter: past, serialNumber: 7n })],
    ['INVALID', 'no certificate'],
    ['INVALID', certificatePem(ecPair())],
    ['DUPLICATE', certificatePem(rsaPair())],
  ])('with one that is %s is refused, with its file', async (code, text) => {
    const dir = `refused-${code}-${text.length}`
    await put(`${dir}/good.pem`, pem)
    const file = await put(`${dir}/zz.pem`, text)

    await expect(readStore(join(folder, dir), now)).rejects.toMatchObject({
      code: `TASKS_SECURITY_CERTIFICATE_${code}`,
      message: expect.stringContaining(file),
    })
  })
})

describe('an app that signs', () => {
  const options = () => ({
    broker: `memory://security-${Math.random()}`,
    loadConfig: false,
    securityKey: join(folder, 'me.key'),
    securityCertificate: join(folder, 'me.pem'),
    securityCertStore: join(folder, 'store'),
  })

  it('refuses at its first use what would leave messages unsigned', async () => {
    await using app = new Celeriac('x', options()).setupSecurity()

    await expect(app.setup()).rejects.toMatchObject({ code: 'TASKS_CONFIG_INVALID' })
  })

  it('says what is missing when the settings name auth and nobody has set it up', async () => {
    await using app = new Celeriac('x', { ...options(), taskSerializer: 'auth' })

    await expect(app.setup()).rejects.toMatchObject({
      code: 'TASKS_CONFIG_INVALID',
      message: expect.stringContaining('setupSecurity()'),
    })
  })

  it('cannot be told so when it is in use', async () => {
    await using app = new Celeriac('x', options())
    await app.setup()

    expect(() => app.setupSecurity()).toThrow(
      expect.objectContaining({ code: 'TASKS_CONFIG_INVALID' }),
    )
  })
})
