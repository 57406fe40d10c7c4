/** The shelf of compressors. One line for each. */
import type { Compressor } from '../codec/compressor.ts'
import { brotli } from './brotli.ts'
import { bzip2 } from './bzip2.ts'
import { deflate } from './deflate.ts'
import { gzip } from './gzip.ts'
import { xz } from './xz.ts'
import { zstd } from './zstd.ts'

export const compressors = {
  gzip,
  deflate,
  brotli,
  bzip2,
  xz,
  zstd,
} as const satisfies Record<string, Compressor>
