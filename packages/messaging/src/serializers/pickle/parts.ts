/** The parts of a pickle that are written in ways of their own: numbers and texts of every protocol. */
import { isAscii, isUtf8 } from 'node:buffer'

/** Python refuses longer ones too: reading one takes time that grows with the square. */
const mostDigits = 4300

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function utf8(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new TypeError('a text is not UTF-8')
  return buffer(bytes).toString('utf8')
}

/** Texts of Python 2; Python 3 takes no others without being told. */
export function ascii(bytes: Uint8Array): string {
  if (!isAscii(bytes)) throw new TypeError('a text of Python 2 is not ASCII')
  return buffer(bytes).toString('latin1')
}

export function asciiInteger(text: string): number | bigint {
  if (!/^[+-]?\d+$/.test(text)) throw new TypeError('an integer is no integer')
  if (text.length > mostDigits) throw new TypeError(`an integer has more than ${mostDigits} digits`)
  const number = Number(text)
  if (Number.isSafeInteger(number)) return number === 0 ? 0 : number
  return text.startsWith('+') ? BigInt(text.slice(1)) : BigInt(text)
}

export function asciiFloat(text: string): number {
  const special: Readonly<Record<string, number>> = { nan: NaN, inf: Infinity, '-inf': -Infinity }
  if (Object.hasOwn(special, text)) return special[text]!
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) {
    throw new TypeError('a float is no float')
  }
  return Number(text)
}

export function bigEndianFloat(bytes: Uint8Array): number {
  return buffer(bytes).readDoubleBE(0)
}

/** Two's complement of any length. */
export function littleEndianInteger(bytes: Uint8Array): number | bigint {
  if (bytes.length === 0) return 0
  if (bytes.length <= 6) return buffer(bytes).readIntLE(0, bytes.length)
  const hex = Buffer.from(bytes).reverse().toString('hex')
  const value = BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`))
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** The shortest two's complement, empty for 0. */
export function integerBytes(value: bigint): Uint8Array {
  if (value === 0n) return new Uint8Array()
  const positive = value < 0n ? -value - 1n : value
  // One bit more, for the sign.
  const length = Math.floor(positive.toString(16).length / 2) + 1
  const hex = BigInt.asUintN(length * 8, value)
    .toString(16)
    .padStart(length * 2, '0')
  return Buffer.from(hex, 'hex').reverse()
}

/** Protocol 0's texts: latin1, with escapes for the rest. */
export function rawUnicode(bytes: Uint8Array): string {
  return buffer(bytes)
    .toString('latin1')
    .replaceAll(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\[uU]/g, (_, four, eight) => {
      const digits = (four ?? eight) as string | undefined
      const code = digits === undefined ? Infinity : parseInt(digits, 16)
      if (code > 0x10ffff) throw new TypeError('an escape in a text is damaged')
      return String.fromCodePoint(code)
    })
}

const escapes: Readonly<Record<string, number>> = {
  '\\': 0x5c,
  "'": 0x27,
  '"': 0x22,
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
}

/** A text of Python 2 as its `repr` writes it. */
export function pythonQuoted(text: string): Uint8Array {
  const [, , inner] = /^(['"])(.*)\1$/s.exec(text) ?? []
  if (inner === undefined) throw new TypeError('a text has no quotes')
  const plain = inner.replaceAll(
    /\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))/gs,
    (whole, hex?: string, octal?: string, letter?: string) => {
      if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16))
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8) & 0xff)
      const code = Object.hasOwn(escapes, letter!) ? escapes[letter!] : undefined
      // Python leaves what it does not know as it is.
      return code === undefined ? whole : String.fromCharCode(code)
    },
  )
  return Buffer.from(plain, 'latin1')
}
