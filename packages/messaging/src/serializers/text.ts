/** UTF-8 text, as Kombu sends a plain string. */
import type { Serializer } from '../codec/serializer.ts'

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const text: Serializer = {
  name: 'text',
  contentType: 'text/plain',
  contentEncoding: 'utf-8',
  encode(value) {
    if (typeof value !== 'string') throw new TypeError(`expected a string, found ${typeof value}`)
    return Buffer.from(value)
  },
  decode: (bytes) => strict.decode(bytes),
}
