/**
 * Zstandard, one frame that says its length, as Kombu writes and needs it. Node's own where there is one
 * (22.15 and later), else @bokuweb/zstd-wasm.
 */
import * as zlib from 'node:zlib'
import type { Compressor } from '../codec/compressor.ts'
import { MessagingError } from '../kernel/errors.ts'
import { optionalPackage } from '../kernel/optional-package.ts'
import { contentLength } from './zstd-frame.ts'

interface Zstd {
  encode(bytes: Uint8Array): Uint8Array
  decode(bytes: Uint8Array, limitBytes: number): Uint8Array
}

/** What newer Node has in `node:zlib`. */
interface NodeZstd {
  zstdCompressSync(bytes: Uint8Array, options: { pledgedSrcSize: number }): Uint8Array
  zstdDecompressSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array
}

interface ZstdPackage {
  init(): Promise<void>
  compress(bytes: Uint8Array): Uint8Array
  decompress(bytes: Uint8Array, options: { defaultHeapSize: number }): Uint8Array
}

/** More than this, WebAssembly's memory cannot be trusted to hold. */
const mostWasmBytes = 1 << 30

export const zstd: Compressor = makeZstd(builtIn())

/** Built in when the running Node can, from the package otherwise; for tests of either. */
export function makeZstd(given: Zstd | undefined): Compressor {
  let loaded = given
  const driver = (): Zstd => {
    if (loaded) return loaded
    throw new MessagingError('MESSAGING_NOT_LOADED', 'message', 'zstd is not loaded')
  }
  return {
    contentType: 'application/zstd',
    names: ['zstd', 'zstandard'],
    ...(given === undefined && {
      async load() {
        loaded ??= await optionalPackage('@bokuweb/zstd-wasm', '^0.0.27', zstdPurpose, fromPackage)
      },
    }),
    encode: (bytes) => driver().encode(bytes),
    decode(bytes, limitBytes) {
      const length = contentLength(bytes)
      if (length !== undefined && length > limitBytes) {
        throw new RangeError(`the content is longer than ${limitBytes} bytes`)
      }
      return driver().decode(bytes, limitBytes)
    },
  }
}

const zstdPurpose = 'zstd on Node before 22.15'

function builtIn(): Zstd | undefined {
  if (!('zstdCompressSync' in zlib)) return undefined
  const { zstdCompressSync, zstdDecompressSync } = zlib as unknown as NodeZstd
  return {
    encode: (bytes) => zstdCompressSync(bytes, { pledgedSrcSize: bytes.length }),
    decode: (bytes, limitBytes) => zstdDecompressSync(bytes, { maxOutputLength: limitBytes }),
  }
}

async function fromPackage(): Promise<Zstd> {
  const { init, compress, decompress } = (await import('@bokuweb/zstd-wasm')) as ZstdPackage
  await init()
  return {
    encode: (bytes) => compress(bytes),
    decode(bytes, limitBytes) {
      const length = contentLength(bytes)
      const most = Math.min(limitBytes, mostWasmBytes)
      if (length !== undefined) {
        if (length > most) throw new RangeError(`the content is longer than ${most} bytes`)
        return decompress(bytes, { defaultHeapSize: length })
      }
      // A frame that does not say its length: try with more until it fits.
      for (let room = Math.max(65_536, bytes.length * 8); ; room *= 4) {
        try {
          return decompress(bytes, { defaultHeapSize: Math.min(room, most) })
        } catch (error) {
          if (!isFull(error) || room >= most) throw error
        }
      }
    },
  }
}

/** Zstandard's own number for a destination that is too small. */
function isFull(error: unknown): boolean {
  return error instanceof Error && error.message.endsWith(' -70')
}
