/**
 * Names of files as Kombu makes them: `<milliseconds>_<uuid>.<queue>.msg`. Ordinary names of queues stand
 * there as they are; what would leave the folder or break the name is percent-encoded.
 */
import { createHash, randomBytes } from 'node:crypto'

/** File systems take names of 255 bytes; the rest of a message's name needs 55 of them, its hour 20. */
const longest = 180
const suffix = '.msg'

export interface MessageName {
  readonly file: string
  /** Encoded, as `encodeName` does it. */
  readonly queue: string
  readonly ms: number
}

/** A queue's or exchange's name as a part of a file's name; two names never become the same. */
export function encodeName(name: string): string {
  const encoded = Array.from(Buffer.from(name).toString(), encodeCharacter).join('')
  if (Buffer.byteLength(encoded) <= longest) return encoded
  const digest = createHash('sha256').update(name).digest('hex')
  const head = Array.from(encoded).slice(0, 20).join('')
  // No encoded name contains this sign, so a digest cannot be taken for a name.
  return `${head}%~${digest}`
}

function encodeCharacter(character: string): string {
  const code = character.codePointAt(0)!
  const isUnsafe = code < 32 || code === 127 || '/\\%'.includes(character)
  const isForWindows = process.platform === 'win32' && '<>:"|?*'.includes(character)
  if (!isUnsafe && !isForWindows) return character
  return `%${code.toString(16).toUpperCase().padStart(2, '0')}`
}

/** Undefined for a file that is no message, such as one that is still being written. */
export function parseName(file: string): MessageName | undefined {
  if (!file.endsWith(suffix)) return undefined
  const dot = file.indexOf('.')
  const ms = Number.parseInt(file, 10)
  if (Number.isNaN(ms) || dot + 1 >= file.length - suffix.length) return undefined
  return { file, queue: file.slice(dot + 1, -suffix.length), ms }
}

/** Oldest first; by number, since a longer one is later. */
export function byAge(a: MessageName, b: MessageName): number {
  return a.ms - b.ms || (a.file < b.file ? -1 : a.file > b.file ? 1 : 0)
}

/** The clock Python calls monotonic, so that names of both sort together. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}

/** Makes names that sort in the order in which they were asked for, after all that were there before. */
export class Names {
  readonly #aheadMs: number
  #count = 0

  /** `newest`: the greatest number in the folder. Kombu's clock starts anew with the machine. */
  constructor(newest: number) {
    this.#aheadMs = Number.isSafeInteger(newest + 1) ? Math.max(0, newest + 1 - monotonicMs()) : 0
  }

  next(queue: string): string {
    const ms = monotonicMs() + this.#aheadMs
    const place = (this.#count++ % 0x1_0000_0000).toString(16).padStart(8, '0')
    const r = randomBytes(12).toString('hex')
    const id = `${place}-${r.slice(0, 4)}-4${r.slice(4, 7)}-8${r.slice(7, 10)}-${r.slice(10, 22)}`
    return `${ms}_${id}.${encodeName(queue)}${suffix}`
  }
}
