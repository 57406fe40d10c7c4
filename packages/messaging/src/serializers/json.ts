/** JSON with the typed values Kombu adds; replaced by the full version. */
import type { Serializer } from '../codec/serializer.ts'

export const json: Serializer = {
  name: 'json',
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as unknown,
}
