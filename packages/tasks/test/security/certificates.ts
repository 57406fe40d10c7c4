/** Throw-away keys and self-signed certificates with any issuer, end and serial number, for tests. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

export interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export interface CertificateOptions {
  /** Attributes in their order; several in one list are one name part of many values. */
  readonly issuer?: readonly (Attribute | readonly Attribute[])[]
  readonly serialNumber?: bigint
  readonly notAfter?: Date
}

export interface Attribute {
  readonly oid: keyof typeof oids
  readonly value: string
  readonly as?: keyof typeof textTags
}

const oids = {
  CN: '550403',
  C: '550406',
  O: '55040a',
  OU: '55040b',
} as const
const textTags = { utf8: 0x0c, printable: 0x13, ia5: 0x16, bmp: 0x1e, universal: 0x1c, bits: 0x03 }
const sha256WithRsa = '2a864886f70d01010b'
const ecdsaWithSha256 = '2a8648ce3d040302'

export function rsaPair(modulusLength = 2048): Pair {
  return generateKeyPairSync('rsa', { modulusLength })
}

export function ecPair(): Pair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

/** PEM of the private key. */
export function keyPem({ privateKey }: Pair, passphrase?: string): string {
  const format = { type: 'pkcs8', format: 'pem' } as const
  return privateKey.export(
    passphrase === undefined ? format : { ...format, cipher: 'aes-256-cbc', passphrase },
  ) as string
}

/** PEM of a certificate that the key has signed for itself. */
export function certificatePem(pair: Pair, options: CertificateOptions = {}): string {
  const {
    issuer = [
      { oid: 'O', value: 'Tests' },
      { oid: 'CN', value: 'signer' },
    ],
    serialNumber = 42n,
    notAfter = new Date('2090-01-01T00:00:00Z'),
  } = options
  const isRsa = pair.privateKey.asymmetricKeyType === 'rsa'
  const algorithm = isRsa
    ? seq(element(0x06, hex(sha256WithRsa)), element(0x05))
    : seq(element(0x06, hex(ecdsaWithSha256)))
  const name = seq(...issuer.map((part) => nameOf([part].flat() as Attribute[])))
  const body = seq(
    element(0xa0, element(0x02, Buffer.from([2]))),
    element(0x02, integer(serialNumber)),
    algorithm,
    name,
    seq(time(new Date('2020-01-01T00:00:00Z')), time(notAfter)),
    name,
    pair.publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = sign('sha256', body, pair.privateKey)
  const der = seq(body, algorithm, element(0x03, Buffer.concat([Buffer.from([0]), signature])))
  const lines = der.toString('base64').match(/.{1,64}/g)!
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function nameOf(attributes: readonly Attribute[]): Buffer {
  const parts = attributes.map(({ oid, value, as = 'utf8' }) =>
    seq(element(0x06, hex(oids[oid])), element(textTags[as], textOf(value, as))),
  )
  return element(0x31, Buffer.concat(parts))
}

function textOf(value: string, as: keyof typeof textTags): Buffer {
  if (as === 'bmp') return Buffer.from(value, 'utf16le').swap16()
  if (as === 'bits') return Buffer.concat([Buffer.from([0]), Buffer.from(value)])
  if (as !== 'universal') return Buffer.from(value)
  return Buffer.concat(
    Array.from(value, (character) => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(character.codePointAt(0)!)
      return bytes
    }),
  )
}

function element(tag: number, content: Uint8Array = Buffer.alloc(0)): Buffer {
  const { length } = content
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function seq(...parts: Uint8Array[]): Buffer {
  return element(0x30, Buffer.concat(parts))
}

function integer(value: bigint): Buffer {
  const digits = value.toString(16)
  const bytes = hex(digits.length % 2 === 0 ? digits : `0${digits}`)
  return bytes[0]! > 0x7f ? Buffer.concat([Buffer.from([0]), bytes]) : bytes
}

/** GeneralizedTime. */
function time(at: Date): Buffer {
  const text = at.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return element(0x18, Buffer.from(text))
}

function hex(digits: string): Buffer {
  return Buffer.from(digits, 'hex')
}
