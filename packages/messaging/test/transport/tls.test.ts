import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { parseUrl } from '../../src/connection/url.ts'
import { tlsOf } from '../../src/transport/tls.ts'

const folder = mkdtempSync(join(tmpdir(), 'celeriac-tls-'))
const file = join(folder, 'ca.pem')
writeFileSync(file, 'a certificate')

const of = (url: string, options: Record<string, unknown> = {}) =>
  tlsOf(parseUrl(url, ['redis', 'rediss'], options), url.startsWith('rediss'))

describe('tlsOf', () => {
  it('leaves a plain link alone', () => {
    expect(of('redis://host')).toBeUndefined()
    expect(of('redis://host', { tls: false })).toBeUndefined()
  })

  it('checks the certificate of a name unless told otherwise', () => {
    expect(of('rediss://host')).toEqual({ servername: 'host' })
    expect(of('rediss://127.0.0.1')).toEqual({})
    expect(of('redis://host', { tls: true })).toEqual({ servername: 'host' })
  })

  it('reads the keys of a URL as Kombu does', () => {
    const url = `rediss://host?ssl_cert_reqs=CERT_NONE&ssl_ca_certs=${file}&ssl_check_hostname=false`
    expect(of(url)).toEqual({
      servername: 'host',
      rejectUnauthorized: false,
      ca: Buffer.from('a certificate'),
      checkServerIdentity: expect.any(Function),
    })
  })

  it.each([
    ['required', true],
    ['optional', true],
    ['none', false],
  ])('reads ssl_cert_reqs=%s', (value, rejectUnauthorized) => {
    expect(of(`rediss://1.2.3.4?ssl_cert_reqs=${value}`)).toEqual({ rejectUnauthorized })
  })

  it('reads the dictionary of Python and the options of Node', () => {
    expect(
      of('redis://h', { ssl: { certfile: file, cert_reqs: 2, server_hostname: 'x' } }),
    ).toEqual({
      servername: 'x',
      cert: Buffer.from('a certificate'),
      rejectUnauthorized: true,
    })
    expect(of('redis://h', { tls: { ca: 'pem', minVersion: 'TLSv1.3' } })).toEqual({
      servername: 'h',
      ca: 'pem',
      minVersion: 'TLSv1.3',
    })
  })

  it.each([
    ['rediss://h?ssl_cert_req=none', 'cert_reqs'],
    ['rediss://h?ssl_cert_reqs=maybe', 'required, optional or none'],
    ['rediss://h?ssl_ca_certs=/no/such/file', 'cannot be read'],
    ['rediss://h?ssl=false', 'switch it off'],
  ])('refuses %s and says why', (url, why) => {
    expect(() => of(url)).toThrow(
      expect.objectContaining({
        code: 'MESSAGING_OPTION_INVALID',
        message: expect.stringContaining(why),
      }),
    )
  })
})
