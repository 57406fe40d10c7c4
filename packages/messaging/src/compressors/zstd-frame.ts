/** The header of a Zstandard frame (RFC 8878, 3.1.1.1): how long the content says it is. */

const magic = 0xfd2fb528

/** Undefined when the frame does not say; throws when the bytes are no frame. */
export function contentLength(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 6 || view.getUint32(0, true) !== magic) {
    throw new TypeError('the bytes are no zstd frame')
  }
  const descriptor = view.getUint8(4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 0x03]!
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes
  const size = descriptor >> 6
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][size]!
  if (at + sizeBytes > bytes.length) throw new TypeError('the zstd frame is cut off')
  switch (sizeBytes) {
    case 1:
      return view.getUint8(at)
    case 2:
      return view.getUint16(at, true) + 256
    case 4:
      return view.getUint32(at, true)
    case 8:
      return Number(view.getBigUint64(at, true))
    default:
      return undefined
  }
}
