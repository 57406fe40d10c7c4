/** YAML as Kombu writes and reads it: what PyYAML's safe loader and safe dumper know, and no more. */
import { isUtf8 } from 'node:buffer'
import type * as Driver from 'js-yaml'
import type { Serializer } from '../../codec/serializer.ts'
import { MessagingError } from '../../kernel/errors.ts'
import { optionalPackage } from '../../kernel/optional-package.ts'
import { keep, prepared, refusePythonValues, type Leaf } from '../prepared.ts'
import { deepest, refuseEndless } from '../endless.ts'
import { LocalDate } from '../json-values.ts'
import { makeSchema } from './tags.ts'

interface Loaded {
  readonly driver: typeof Driver
  readonly schema: Driver.Schema
}

let loaded: Loaded | undefined

/**
 * Date ⇄ timestamp, LocalDate ⇄ date, Uint8Array ⇄ binary, Set ⇄ set, bigint ⇄ integers beyond ±2^53.
 * Keys that are no texts become texts.
 */
export const yaml: Serializer = {
  name: 'yaml',
  contentType: 'application/x-yaml',
  contentEncoding: 'utf-8',

  async load() {
    loaded ??= await optionalPackage('js-yaml', '^5.5.0', 'yaml', async () => {
      const driver = await import('js-yaml')
      return { driver, schema: makeSchema(driver) }
    })
  },

  encode(value) {
    const { driver, schema } = loadedOrThrow()
    const text = driver.dump(prepared(value, leaf), { schema, noRefs: true, lineWidth: -1 })
    return Buffer.from(text)
  },

  decode(bytes) {
    const { driver, schema } = loadedOrThrow()
    if (!isUtf8(bytes)) throw new TypeError('the bytes are not UTF-8')
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
    // Of a key that comes twice PyYAML takes the last, too.
    const documents = driver.loadAll(text, { schema, json: true, maxDepth: deepest })
    if (documents.length > 1)
      throw new TypeError(`expected one document, found ${documents.length}`)
    const value = documents[0] ?? null
    // Without an alias nothing can be shared.
    if (text.includes('*')) refuseEndless(value)
    return value
  },
}

function loadedOrThrow(): Loaded {
  if (loaded) return loaded
  throw new MessagingError('MESSAGING_NOT_LOADED', 'message', 'yaml is not loaded')
}

const leaf: Leaf = (value, child) => {
  if (typeof value !== 'object' || value instanceof Uint8Array || value instanceof LocalDate) {
    return value
  }
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new TypeError('an invalid Date cannot be sent')
    return value
  }
  if (value instanceof Set) {
    return new Set(
      Array.from(value, (member: unknown, index) => {
        if (typeof member === 'object' && member !== null && !(member instanceof Date)) {
          throw new TypeError('a Set of objects cannot be sent; use a list')
        }
        return child(member, index)
      }),
    )
  }
  refusePythonValues(value, 'yaml')
  return keep
}
