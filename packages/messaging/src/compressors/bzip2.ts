/** bzip2, as Kombu writes it; bzip2-wasm does the work. */
import type { Compressor } from '../codec/compressor.ts'
import { MessagingError } from '../kernel/errors.ts'
import { optionalPackage } from '../kernel/optional-package.ts'

/** The part of the WebAssembly module that is used; the package has no types. */
interface Bzip2Module {
  /** Another array after memory has grown. */
  readonly HEAPU8: Uint8Array
  _malloc(size: number): number
  _free(at: number): void
  setValue(at: number, value: number, type: 'i32'): void
  getValue(at: number, type: 'i32'): number
  _BZ2_bzBuffToBuffCompress(
    to: number,
    toLength: number,
    from: number,
    fromLength: number,
    blockSize: number,
    verbosity: number,
    workFactor: number,
  ): number
  _BZ2_bzBuffToBuffDecompress(
    to: number,
    toLength: number,
    from: number,
    fromLength: number,
    small: number,
    verbosity: number,
  ): number
}

interface Bzip2Package {
  readonly default: new () => { init(): Promise<void>; readonly wasmModule: Bzip2Module }
}

/** The work of one call, given the room for its result; answers bzip2's code. */
type Work = (module: Bzip2Module, to: number, toLength: number, from: number) => number

const outputFull = -8
const reasons: Readonly<Record<number, string>> = {
  [-3]: 'not enough memory',
  [-4]: 'the data is damaged',
  [-5]: 'the data is something else',
  [-7]: 'the data is cut off',
}

/** Python's own level; the larger blocks are what makes bzip2 strong. */
const blockSize = 9

let loaded: Bzip2Module | undefined

export const bzip2: Compressor = {
  contentType: 'application/x-bz2',
  names: ['bzip2', 'bzip'],

  async load() {
    loaded ??= await optionalPackage('bzip2-wasm', '^1.0.1', 'bzip2', start)
  },

  encode(bytes) {
    // The library's own bound for input that cannot be made shorter.
    const room = Math.ceil(bytes.length * 1.01) + 600
    const result = run(bytes, room, (module, to, toLength, from) =>
      module._BZ2_bzBuffToBuffCompress(to, toLength, from, bytes.length, blockSize, 0, 0),
    )
    if (result) return result
    throw new RangeError('the result does not fit')
  },

  decode(bytes, limitBytes) {
    const parts: Uint8Array[] = []
    let left = limitBytes
    for (const stream of streamsOf(bytes)) {
      const part = decodeStream(stream, left)
      parts.push(part)
      left -= part.length
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  },
}

/**
 * Python reads several streams as one; the library stops after the first. Each begins with four bytes of
 * its own and six that open its first block, or its end.
 */
function streamsOf(bytes: Uint8Array): Uint8Array[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const starts = [0]
  for (let at = all.indexOf('BZh', 1); at >= 0; at = all.indexOf('BZh', at + 1)) {
    if (openings.has(all.toString('hex', at + 4, at + 10))) starts.push(at)
  }
  return starts.map((start, i) => all.subarray(start, starts[i + 1]))
}

const openings: ReadonlySet<string> = new Set(['314159265359', '177245385090'])

function decodeStream(bytes: Uint8Array, limitBytes: number): Uint8Array {
  // The stream does not say how long its content is: try with more until it fits.
  for (let room = Math.max(65_536, bytes.length * 8); ; room *= 4) {
    const result = run(bytes, Math.min(room, limitBytes), (module, to, toLength, from) =>
      module._BZ2_bzBuffToBuffDecompress(to, toLength, from, bytes.length, 0, 0),
    )
    if (result) return result
    if (room >= limitBytes) throw new RangeError(`the content is longer than ${limitBytes} bytes`)
  }
}

/** The result, or undefined when it is longer than `room`. */
function run(bytes: Uint8Array, room: number, work: Work): Uint8Array | undefined {
  const module = loaded
  if (!module) throw new MessagingError('MESSAGING_NOT_LOADED', 'message', 'bzip2 is not loaded')
  const taken: number[] = []
  const take = (size: number): number => {
    const at = module._malloc(Math.max(size, 1))
    if (at === 0) throw new RangeError(`no memory for ${size} bytes`)
    taken.push(at)
    return at
  }
  try {
    const from = take(bytes.length)
    const to = take(room)
    const toLength = take(4)
    module.HEAPU8.set(bytes, from)
    module.setValue(toLength, room, 'i32')
    const code = work(module, to, toLength, from)
    if (code === outputFull) return undefined
    if (code !== 0) throw new TypeError(reasons[code] ?? `bzip2 answered ${code}`)
    return module.HEAPU8.slice(to, to + module.getValue(toLength, 'i32'))
  } finally {
    for (const at of taken) module._free(at)
  }
}

/** The package leaves two globals and two listeners behind, which would change the whole process. */
async function start(): Promise<Bzip2Module> {
  const { default: Bzip2 } = (await import('bzip2-wasm')) as Bzip2Package
  const events = ['uncaughtException', 'unhandledRejection'] as const
  const before = new Set(events.flatMap((event) => process.rawListeners(event)))
  const globals = (['__dirname', 'require'] as const).map(
    (key) => [key, Object.getOwnPropertyDescriptor(globalThis, key)] as const,
  )
  try {
    const bzip2 = new Bzip2()
    await bzip2.init()
    return bzip2.wasmModule
  } finally {
    for (const [key, was] of globals) {
      if (was) Object.defineProperty(globalThis, key, was)
      else Reflect.deleteProperty(globalThis, key)
    }
    for (const event of events) {
      for (const listener of process.rawListeners(event)) {
        if (!before.has(listener)) process.off(event, listener as () => void)
      }
    }
  }
}
