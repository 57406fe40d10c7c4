/** The shelf of compressors. One line for each. */
import type { Compressor } from '../codec/compressor.ts'
import { brotli } from './brotli.ts'
import { deflate } from './deflate.ts'
import { gzip } from './gzip.ts'

export const compressors = { gzip, deflate, brotli } as const satisfies Record<string, Compressor>
