/** JSON as Kombu writes and reads it: plain JSON, and typed values for what JSON has no word for. */
import { isUtf8 } from 'node:buffer'
import type { Serializer } from '../codec/serializer.ts'
import { parseJson } from './json-read.ts'
import { stringifyJson } from './json-write.ts'

export { parseJson } from './json-read.ts'
export { pathText, stringifyJson, UnsendableError } from './json-write.ts'

/**
 * Date ⇄ datetime, Uint8Array ⇄ bytes, bigint ⇄ integers beyond ±2^53; date, time, decimal and uuid have
 * classes in json-values.ts. Members that are `undefined` are left out, as `JSON.stringify` does.
 */
export const json: Serializer = {
  name: 'json',
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  encode: (value) => Buffer.from(stringifyJson(value)),
  decode(bytes) {
    if (!isUtf8(bytes)) throw new TypeError('the bytes are not UTF-8')
    return parseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
  },
}
