/**
 * A signed message as text: five fields between separators, in base64. Pure. Only what this writes is read:
 * base64 has other spellings of the same bytes, and no signature covers the spelling.
 */
import { SecurityError } from '../kernel/errors.ts'

export interface SignedBody {
  readonly signer: string
  readonly signature: Uint8Array
  readonly contentType: string
  readonly contentEncoding: string
  /** What the signature covers. */
  readonly body: Uint8Array
}

const separator = Buffer.from([0, 1])

export function pack({
  signer,
  signature,
  contentType,
  contentEncoding,
  body,
}: SignedBody): Buffer {
  const fields = [
    Buffer.from(Buffer.from(signer).toString('base64')),
    Buffer.from(Buffer.from(signature).toString('base64')),
    Buffer.from(contentType),
    Buffer.from(contentEncoding),
  ].flatMap((field) => [field, separator])
  return Buffer.from(Buffer.concat([...fields, body]).toString('base64'))
}

/** Throws `TASKS_SECURITY_MESSAGE_INVALID` for what is no signed message. */
export function unpack(bytes: Uint8Array): SignedBody {
  const raw = fromBase64(bytes, 'it')
  const fields: Buffer[] = []
  let at = 0
  while (fields.length < 4) {
    const end = raw.indexOf(separator, at)
    if (end < 0)
      throw invalid(`it has ${fields.length + 1} of 5 fields: it was cut off, or was never signed`)
    fields.push(raw.subarray(at, end))
    at = end + separator.length
  }
  const [signer, signature, contentType, contentEncoding] = fields as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ]
  return {
    signer: fromBase64(signer, 'its signer').toString(),
    signature: fromBase64(signature, 'its signature'),
    contentType: contentType.toString('latin1'),
    contentEncoding: contentEncoding.toString('latin1'),
    body: raw.subarray(at),
  }
}

function fromBase64(bytes: Uint8Array, what: string): Buffer {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const decoded = Buffer.from(text, 'base64')
  if (decoded.toString('base64') !== text) throw invalid(`${what} is no base64`)
  return decoded
}

function invalid(why: string): SecurityError {
  return new SecurityError(
    'TASKS_SECURITY_MESSAGE_INVALID',
    `a message is not signed as it should be: ${why}`,
  )
}
