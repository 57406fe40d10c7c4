/** A zlib stream under its own name; unknown to Kombu, for peers that expect HTTP's `deflate`. */
import { deflateSync, inflateSync } from 'node:zlib'
import type { Compressor } from '../codec/compressor.ts'

export const deflate: Compressor = {
  contentType: 'application/x-deflate',
  names: ['deflate'],
  encode: (bytes) => deflateSync(bytes),
  decode: (bytes, limitBytes) => inflateSync(bytes, { maxOutputLength: limitBytes }),
}
