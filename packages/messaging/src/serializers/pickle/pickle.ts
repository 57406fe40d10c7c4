/**
 * Python's pickle, for plain values only. Nothing of Python is run: what a pickle names stands for a
 * function of ours, and names that are not known are refused.
 */
import type { Serializer } from '../../codec/serializer.ts'
import { refuseEndless } from '../endless.ts'
import { plainGlobals, type PickleGlobal } from './globals.ts'
import { readPickle } from './reader.ts'
import { writePickle } from './writer.ts'

export type { PickleGlobal } from './globals.ts'

export interface PickleOptions {
  /** Names that may be read as well, with their module: `{ 'shop.models.Price': (args) => … }`. */
  readonly globals?: Readonly<Record<string, PickleGlobal>>
}

/**
 * A serializer that reads all protocols and writes protocol 4: null, booleans, numbers, bigint, texts,
 * Uint8Array, lists, mappings (a Map where keys are no texts), Set, Date, LocalDate, LocalTime, TimeDelta,
 * Decimal and Uuid. Tuples and frozen sets are read as lists and sets.
 */
export function makePickle(options: PickleOptions = {}): Serializer {
  const globals = new Map([...plainGlobals, ...Object.entries(options.globals ?? {})])
  return {
    name: 'pickle',
    contentType: 'application/x-python-serialize',
    contentEncoding: 'binary',
    encode: writePickle,
    decode(bytes) {
      const value = readPickle(bytes, globals)
      refuseEndless(value)
      return value
    },
  }
}

/** With the plain values alone. */
export const pickle: Serializer = makePickle()
