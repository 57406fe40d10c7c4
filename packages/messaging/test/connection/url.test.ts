import { describe, expect, it } from '@jest/globals'
import { inspect } from 'node:util'
import { maskUrl, parseUrl, splitUrls } from '../../src/connection/url.ts'

const schemes = ['amqp', 'redis', 'redis+socket', 'memory', 'sqlite']
const port = (scheme: string): number | undefined => (scheme === 'redis' ? 6379 : undefined)
const parse = (url: string) => parseUrl(url, schemes, {}, port)

describe('parseUrl', () => {
  const cases: readonly [string, Partial<ReturnType<typeof parse>>][] = [
    ['redis://', { scheme: 'redis', host: '', port: 6379, path: '', username: undefined }],
    ['redis', { scheme: 'redis', port: 6379 }],
    ['redis://h:1234/5', { host: 'h', port: 1234, path: '5' }],
    ['redis://[::1]:1234', { host: '::1', port: 1234 }],
    ['redis://:p%40ss@h', { username: undefined, password: 'p@ss' }],
    ['amqp://u:p@h/%2Fv', { username: 'u', password: 'p', path: '/v' }],
    ['amqp://h//', { path: '/' }],
    ['redis+socket:///tmp/r.sock', { scheme: 'redis+socket', host: '', path: 'tmp/r.sock' }],
    ['sqlite:///data/b.db', { path: 'data/b.db' }],
    ['memory://name', { host: 'name' }],
    [
      'redis://h?visibility_timeout=5&fanout_prefix=false&sep=:&x=1.5',
      { options: { visibilityTimeout: 5, fanoutPrefix: false, sep: ':', x: 1.5 } },
    ],
  ]
  it.each(cases)('reads %s', (url, expected) => {
    expect(parse(url)).toMatchObject(expected)
  })

  it('lets the URL win over the options of the code', () => {
    const { options } = parseUrl('redis://h?a=1', schemes, { a: 2, b: 3 })
    expect(options).toEqual({ a: 1, b: 3 })
  })

  it.each([
    ['rediss://h', "no transport speaks 'rediss'. Did you mean 'redis'?"],
    ['http://h', "no transport speaks 'http'"],
    ['no url at all', 'scheme://user:password@host:port/path'],
    ['redis://u:%ZZ@h', 'percent-encoding'],
  ])('refuses %s', (url, why) => {
    expect(() => parse(url)).toThrow(
      expect.objectContaining({
        code: 'MESSAGING_URL_INVALID',
        fault: 'fatal',
        message: expect.stringContaining(why),
      }),
    )
  })

  it('never shows a password, also not in errors', () => {
    const url = 'ftp://user:s3cret@h'
    expect(parse('redis://user:s3cret@h').masked).toBe('redis://user:**@h')
    expect(() => parse(url)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('s3cret') }),
    )
  })
})

describe('a URL that cannot be read', () => {
  it('is not shown with its password, however the error is printed', () => {
    let thrown: unknown
    try {
      parseUrl('amqp://u:s3cret@h:bad', ['amqp'])
    } catch (error) {
      thrown = error
    }
    expect(inspect(thrown, { depth: 9 })).toContain('amqp://u:**@h:bad')
    expect(inspect(thrown, { depth: 9 })).not.toContain('s3cret')
  })
})

describe('options that look like numbers', () => {
  it('stay texts where they are names or secrets', () => {
    const { options } = parseUrl('amqps://h?ssl_keyfile_password=0042&client_name=7&heartbeat=7', [
      'amqps',
    ])
    expect(options).toEqual({ sslKeyfilePassword: '0042', clientName: '7', heartbeat: 7 })
  })
})

describe('maskUrl', () => {
  it.each([
    ['amqp://u:p@h:1/v', 'amqp://u:**@h:1/v'],
    ['redis://:p@h', 'redis://:**@h'],
    ['redis://h', 'redis://h'],
    ['redis://h?password=x&db=1', 'redis://h?password=**&db=1'],
    ['amqp://u:p@ss@h', 'amqp://u:**@h'],
    ['amqp://me@corp:s3cret@h/v', 'amqp://me@corp:**@h/v'],
    ['amqp://u:p@ss/x@h', 'amqp://u:**@ss/x@h'],
    ['amqp://u:s3/cret@h', 'amqp://u:**@h'],
    ['amqp://u:p@h/v?a=b@c', 'amqp://u:**@h/v?a=b@c'],
  ])('shows %s as %s', (url, masked) => {
    expect(maskUrl(url)).toBe(masked)
  })
})

describe('splitUrls', () => {
  it('takes a text with semicolons, or a list', () => {
    expect(splitUrls('amqp://a; amqp://b')).toEqual(['amqp://a', 'amqp://b'])
    expect(splitUrls(['amqp://a', ' amqp://b '])).toEqual(['amqp://a', 'amqp://b'])
  })

  it('refuses to have none', () => {
    expect(() => splitUrls(' ; ')).toThrow('no broker URL')
  })
})
