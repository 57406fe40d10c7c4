/**
 * How a target wants its link encrypted, in the words of Node, of Kombu's `ssl` dictionary or of the `ssl_…`
 * keys of a URL. Unlike Kombu, a certificate is checked unless it is asked not to.
 */
import { readFileSync } from 'node:fs'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { MessagingError, messageOf } from '../kernel/errors.ts'
import { didYouMean } from '../kernel/suggest.ts'
import type { Target } from './transport.ts'

/** Names that hold a file, by what they are called in Python without `ssl_`. */
const files: Readonly<Record<string, 'ca' | 'cert' | 'key'>> = {
  ca_certs: 'ca',
  ca: 'ca',
  cafile: 'ca',
  certfile: 'cert',
  cert: 'cert',
  keyfile: 'key',
  key: 'key',
}

const others = [
  'cert_reqs',
  'check_hostname',
  'ca_data',
  'server_hostname',
  'keyfile_password',
  'password',
] as const

/** Options of Node that mean the same among Python's. */
const nodeOptions = [
  'rejectUnauthorized',
  'servername',
  'minVersion',
  'maxVersion',
  'ciphers',
  'pfx',
]

/** Values of `cert_reqs`, and whether they want a valid certificate. */
const requirements: Readonly<Record<string, boolean>> = {
  cert_required: true,
  required: true,
  '2': true,
  cert_optional: true,
  optional: true,
  '1': true,
  cert_none: false,
  none: false,
  '0': false,
}

/** Option names of a transport that belong to TLS. */
export const tlsOptionNames = [
  'tls',
  'ssl',
  ...[...Object.keys(files), ...others].map((name) => camel(`ssl_${name}`)),
] as const

/**
 * Options for `tls.connect`; undefined for a plain link. `isDefault`: the scheme asks for it by itself.
 * Throws `MESSAGING_OPTION_INVALID` for an unknown name or a file that cannot be read.
 */
export function tlsOf(target: Target, isDefault: boolean): TlsOptions | undefined {
  const { options } = target
  const given = options['tls'] ?? options['ssl']
  const flat = Object.entries(options).filter(([name]) => /^ssl[A-Z]/.test(name))
  const wanted = given !== undefined && given !== false && given !== 0
  if (!wanted && !isDefault && flat.length === 0) return undefined
  if (given === false || given === 0) {
    if (!isDefault) return undefined
    throw invalid(target, 'its scheme asks for TLS, but its options switch it off')
  }
  const tls: Record<string, unknown> = {}
  // Servers are checked by the name they are called by, which a bare address has none of.
  if (target.host !== '' && !/^[\d.]+$|:/.test(target.host)) tls['servername'] = target.host
  if (options['tls'] !== undefined && typeof given === 'object') Object.assign(tls, given)
  else if (typeof given === 'object' && given !== null)
    for (const [name, value] of Object.entries(given)) {
      if (nodeOptions.includes(name)) tls[name] = value
      else read(target, tls, snake(name).replace(/^ssl_/, ''), value)
    }
  for (const [name, value] of flat) read(target, tls, snake(name).replace(/^ssl_/, ''), value)
  return tls as TlsOptions
}

function read(target: Target, tls: Record<string, unknown>, name: string, value: unknown): void {
  if (value === null || value === undefined) return
  const file = files[name]
  if (file) {
    tls[file] = readFile(target, name, value)
    return
  }
  switch (name) {
    case 'cert_reqs': {
      const isRequired =
        requirements[
          (typeof value === 'string' ? value : JSON.stringify(value))
            .toLowerCase()
            .replace('ssl.', '')
        ]
      if (isRequired === undefined)
        throw invalid(
          target,
          `ssl_cert_reqs must be required, optional or none, found ${JSON.stringify(value)}`,
        )
      tls['rejectUnauthorized'] = isRequired
      break
    }
    case 'check_hostname':
      if (value === false || value === 0) tls['checkServerIdentity'] = () => undefined
      break
    case 'ca_data':
      tls['ca'] = value
      break
    case 'server_hostname':
      tls['servername'] = value
      break
    case 'password':
    case 'keyfile_password':
      tls['passphrase'] = value
      break
    default:
      throw invalid(
        target,
        `it has no option ssl_${name}.${didYouMean(name, [...Object.keys(files), ...others])}`,
      )
  }
}

/** The content of a file, or what looks like the content already. */
function readFile(target: Target, name: string, path: unknown): string | Uint8Array {
  if (path instanceof Uint8Array) return path
  if (typeof path === 'string' && path.includes('-----BEGIN')) return path
  if (typeof path !== 'string')
    throw invalid(target, `ssl_${name} must be the path of a file, found ${JSON.stringify(path)}`)
  try {
    return readFileSync(path)
  } catch (error) {
    throw invalid(target, `ssl_${name} cannot be read: ${messageOf(error)}`, error)
  }
}

function camel(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function invalid(target: Target, why: string, cause?: unknown): MessagingError {
  return new MessagingError(
    'MESSAGING_OPTION_INVALID',
    'fatal',
    `TLS for ${target.masked} cannot be set up: ${why}`,
    { cause },
  )
}
