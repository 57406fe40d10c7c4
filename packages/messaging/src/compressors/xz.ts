/** The xz container, which Kombu calls lzma; lzma-native does the work. */
import type { Compressor } from '../codec/compressor.ts'
import { MessagingError } from '../kernel/errors.ts'
import { optionalPackage } from '../kernel/optional-package.ts'

/** The coder beneath the package's streams: it works synchronously, the streams do not. */
interface Coder {
  /** Called within `code`: with bytes, with null and an error or the end, or with nothing. */
  bufferHandler: (bytes: Uint8Array | null | undefined, done?: number, error?: Error | null) => void
  easyEncoder(options: { preset: number; check: number }): void
  streamDecoder(options: { memlimit: number; flags: number }): void
  /** The next bytes, or null for the end. */
  code(bytes: Uint8Array | null, later: boolean): void
  resetUnderlying(): void
}

interface LzmaPackage {
  readonly Stream: new () => Coder
  readonly CHECK_CRC64: number
  readonly CONCATENATED: number
}

/** What Python's `lzma.compress` takes. */
const preset = 6

/** A header may ask for a dictionary of gigabytes; the strongest preset needs 65 MiB. */
const memoryLimitBytes = 128 * 1024 * 1024

/** One step gives at most some 7,000 times as much, and only between steps can it be stopped. */
const stepBytes = 1024

let loaded: LzmaPackage | undefined

export const xz: Compressor = {
  contentType: 'application/x-lzma',
  names: ['lzma', 'xz'],

  async load() {
    loaded ??= await optionalPackage('lzma-native', '^8.0.6', 'xz', async () => {
      const imported = (await import('lzma-native')) as { default: LzmaPackage }
      return imported.default
    })
  },

  encode(bytes) {
    const { Stream, CHECK_CRC64 } = driver()
    const coder = new Stream()
    coder.easyEncoder({ preset, check: CHECK_CRC64 })
    return run(coder, bytes, bytes.length || 1, Infinity)
  },

  decode(bytes, limitBytes) {
    const { Stream, CONCATENATED } = driver()
    const coder = new Stream()
    coder.streamDecoder({ memlimit: memoryLimitBytes, flags: CONCATENATED })
    return run(coder, bytes, stepBytes, limitBytes)
  },
}

function driver(): LzmaPackage {
  if (loaded) return loaded
  throw new MessagingError('MESSAGING_NOT_LOADED', 'message', 'xz is not loaded')
}

function run(coder: Coder, bytes: Uint8Array, step: number, limitBytes: number): Uint8Array {
  const parts: Uint8Array[] = []
  let length = 0
  let failure: Error | undefined
  coder.bufferHandler = (part, _done, error) => {
    if (error) failure ??= error
    if (!part) return
    length += part.length
    parts.push(Uint8Array.from(part))
  }
  const code = (part: Uint8Array | null): void => {
    coder.code(part, false)
    if (failure) throw failure
    if (length > limitBytes) throw new RangeError(`the content is longer than ${limitBytes} bytes`)
  }
  try {
    for (let at = 0; at < bytes.length; at += step) code(bytes.subarray(at, at + step))
    code(null)
    return Buffer.concat(parts)
  } finally {
    coder.resetUnderlying()
  }
}
