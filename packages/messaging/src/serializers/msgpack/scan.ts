/**
 * A look over MessagePack bytes before the library reads them. It reserves room for as many members as a
 * header announces, so a few bytes could take all memory; and it lets damaged text pass.
 */
import { isUtf8 } from 'node:buffer'

/** As deep as Python's reader goes, within a few levels. */
const deepest = 1000

/** Throws a TypeError when the structure is not whole, not bounded by its bytes, or too deep. */
export function scan(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  /** Members still to come, for each open collection. */
  const open: number[] = []
  /** Their sum. */
  let owed = 1
  let at = 0

  const skip = (count: number): number => {
    const from = at
    at += count
    if (at > bytes.length) throw new TypeError('the bytes are cut off')
    return from
  }
  const number = (size: 1 | 2 | 4): number => {
    const from = skip(size)
    if (size === 1) return view.getUint8(from)
    return size === 2 ? view.getUint16(from) : view.getUint32(from)
  }
  const text = (length: number): void => {
    const from = skip(length)
    if (!isUtf8(bytes.subarray(from, at))) throw new TypeError('a text is not UTF-8')
  }
  const members = (count: number): void => {
    owed += count
    if (owed > bytes.length - at) throw new TypeError('more members are announced than can follow')
    if (count === 0) return
    open.push(count)
    if (open.length > deepest) throw new TypeError(`the value is nested deeper than ${deepest}`)
  }

  while (owed > 0) {
    while (open.at(-1) === 0) open.pop()
    if (open.length > 0) open[open.length - 1]! -= 1
    owed -= 1
    const head = number(1)
    if (head <= 0x7f || head >= 0xe0) continue
    if (head <= 0x8f) members((head & 0x0f) * 2)
    else if (head <= 0x9f) members(head & 0x0f)
    else if (head <= 0xbf) text(head & 0x1f)
    else longer(head)
  }
  if (at < bytes.length) throw new TypeError('more bytes follow the value')

  function longer(head: number): void {
    switch (head) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return
      case 0xc4:
      case 0xc5:
      case 0xc6:
        skip(number(sizes[head - 0xc4]!))
        return
      case 0xc7:
      case 0xc8:
      case 0xc9:
        skip(number(sizes[head - 0xc7]!) + 1)
        return
      case 0xd9:
      case 0xda:
      case 0xdb:
        text(number(sizes[head - 0xd9]!))
        return
      case 0xdc:
      case 0xdd:
        members(number(head === 0xdc ? 2 : 4))
        return
      case 0xde:
      case 0xdf:
        members(number(head === 0xde ? 2 : 4) * 2)
        return
      default: {
        const length = fixed.get(head)
        if (length === undefined) throw new TypeError('a byte has no meaning')
        skip(length)
      }
    }
  }
}

const sizes = [1, 2, 4] as const

/** Bytes after the head: floats, integers, extensions. */
const fixed: ReadonlyMap<number, number> = new Map([
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
  [0xd4, 2],
  [0xd5, 3],
  [0xd6, 5],
  [0xd7, 9],
  [0xd8, 17],
])
