/**
 * What Kombu calls gzip: a zlib stream under the name `application/x-gzip`. A real gzip stream is read
 * as well, since other clients write one under that name.
 */
import { deflateSync, unzipSync } from 'node:zlib'
import type { Compressor } from '../codec/compressor.ts'

export const gzip: Compressor = {
  contentType: 'application/x-gzip',
  names: ['gzip', 'zlib'],
  encode: (bytes) => deflateSync(bytes),
  decode: (bytes, limitBytes) => unzipSync(bytes, { maxOutputLength: limitBytes }),
}
