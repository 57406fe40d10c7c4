/** Brotli, as Kombu writes it. */
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib'
import type { Compressor } from '../codec/compressor.ts'

export const brotli: Compressor = {
  contentType: 'application/x-brotli',
  names: ['brotli'],
  encode: (bytes) => brotliCompressSync(bytes),
  decode: (bytes, limitBytes) => brotliDecompressSync(bytes, { maxOutputLength: limitBytes }),
}
