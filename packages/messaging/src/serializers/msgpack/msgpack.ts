/**
 * MessagePack as Kombu writes and reads it: texts and bytes kept apart, integers of up to 64 bits. A Date
 * is the format's own timestamp, which Kombu reads and never writes.
 */
import type * as Package from '@msgpack/msgpack'
import type { Serializer } from '../../codec/serializer.ts'
import { MessagingError } from '../../kernel/errors.ts'
import { optionalPackage } from '../../kernel/optional-package.ts'
import { keep, prepared, refusePythonValues, type Leaf } from '../prepared.ts'
import { scan } from './scan.ts'

type Driver = typeof Package

let loaded: Driver | undefined

/** Date ⇄ timestamp, Uint8Array ⇄ bin, bigint ⇄ integers beyond ±2^53. */
export const msgpack: Serializer = {
  name: 'msgpack',
  contentType: 'application/x-msgpack',
  contentEncoding: 'binary',

  async load() {
    loaded ??= await optionalPackage(
      '@msgpack/msgpack',
      '^3.1.3',
      'msgpack',
      async () => await import('@msgpack/msgpack'),
    )
  },

  encode(value) {
    return driver().encode(prepared(value, leaf), { useBigInt64: true, maxDepth: 1000 })
  },

  decode(bytes) {
    const { Decoder } = driver()
    scan(bytes)
    return settled(new Decoder({ useBigInt64: true }).decode(bytes))
  },
}

function driver(): Driver {
  if (loaded) return loaded
  throw new MessagingError('MESSAGING_NOT_LOADED', 'message', 'msgpack is not loaded')
}

const most = 2n ** 64n - 1n
const least = -(2n ** 63n)

const leaf: Leaf = (value) => {
  if (typeof value === 'bigint') {
    if (value > most || value < least) throw new TypeError('an integer has more than 64 bits')
    return value
  }
  if (typeof value === 'number') {
    // The library writes numbers of more than 32 bits as floats, but bigints as integers.
    return Number.isSafeInteger(value) && Math.abs(value) > 0x7fffffff ? BigInt(value) : value
  }
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new TypeError('an invalid Date cannot be sent')
    return value
  }
  if (value instanceof Uint8Array) return value
  refusePythonValues(value, 'msgpack')
  if (Object.hasOwn(value, '__proto__')) throw new TypeError('the library reads no key __proto__')
  return keep
}

/** Integers that a number can hold become one; extensions nobody here knows are refused. */
function settled(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new TypeError('a timestamp is beyond all dates')
    return value
  }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = settled(value[index])
    return value
  }
  if (value instanceof driver().ExtData) {
    throw new TypeError(`extension type ${value.type} is not known`)
  }
  const members = value as Record<string, unknown>
  for (const key in members) {
    const before = members[key]
    const after = settled(before)
    if (after !== before) members[key] = after
  }
  return members
}
