/**
 * The two things the id of a signer is made of, read from the bytes of a certificate: the values of its issuer
 * in their order, and its serial number. Node gives the issuer as text with escapes, from which the values
 * cannot be had back with certainty.
 */

interface Element {
  readonly tag: number
  readonly content: Uint8Array
}

const sequence = 0x30
const set = 0x31
const integer = 0x02
/** The version, where the certificate has one. */
const explicitVersion = 0xa0
const bmpString = 0x1e
const universalString = 0x1c
const texts = new Set([
  0x0c, // UTF8String
  0x12, // NumericString
  0x13, // PrintableString
  0x14, // TeletexString
  0x16, // IA5String
  0x1a, // VisibleString
])

export interface SignerParts {
  readonly issuer: readonly string[]
  readonly serialNumber: bigint
}

/** Throws when these bytes are no certificate, or the issuer has a value that is no text. */
export function signerParts(certificate: Uint8Array): SignerParts {
  const [outer] = read(certificate)
  const [body] = read(contentOf(outer, sequence))
  const fields = read(contentOf(body, sequence))
  if (fields[0]?.tag === explicitVersion) fields.shift()
  const [serial, , name] = fields
  const attributes = read(contentOf(name, sequence)).flatMap((one) => read(contentOf(one, set)))
  return {
    issuer: attributes.map((one) => textOf(read(contentOf(one, sequence))[1])),
    serialNumber: signed(contentOf(serial, integer)),
  }
}

/** The elements that stand one after the other in `bytes`. */
function read(bytes: Uint8Array): Element[] {
  const elements: Element[] = []
  let at = 0
  while (at < bytes.length) {
    const tag = bytes[at]!
    let length = bytes[at + 1] ?? missing()
    at += 2
    if (length > 0x7f) {
      const count = length & 0x7f
      // Four bytes are more than any certificate has.
      if (count === 0 || count > 4 || at + count > bytes.length) missing()
      length = 0
      for (let i = 0; i < count; i++) length = length * 256 + bytes[at++]!
    }
    if (at + length > bytes.length) missing()
    elements.push({ tag, content: bytes.subarray(at, at + length) })
    at += length
  }
  return elements
}

function contentOf(element: Element | undefined, tag: number): Uint8Array {
  return element?.tag === tag ? element.content : missing()
}

function textOf(element: Element | undefined): string {
  const { tag, content } = element ?? missing()
  if (tag === bmpString) return Buffer.from(content).swap16().toString('utf16le')
  if (tag === universalString) return fromUtf32(content)
  if (texts.has(tag))
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
  throw new Error('its issuer has a value that is no text')
}

function fromUtf32(content: Uint8Array): string {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  let text = ''
  for (let at = 0; at < content.length; at += 4) text += String.fromCodePoint(view.getUint32(at))
  return text
}

function signed(content: Uint8Array): bigint {
  if (content.length === 0) missing()
  return BigInt.asIntN(content.length * 8, BigInt(`0x${Buffer.from(content).toString('hex')}`))
}

function missing(): never {
  throw new Error('it is not a complete certificate')
}
