/** Bytes, untouched. */
import type { Serializer } from '../codec/serializer.ts'

export const raw: Serializer = {
  name: 'raw',
  contentType: 'application/data',
  contentEncoding: 'binary',
  encode(value) {
    if (!(value instanceof Uint8Array)) throw new TypeError(`expected bytes, found ${typeof value}`)
    return value
  },
  decode: (bytes) => bytes,
}
