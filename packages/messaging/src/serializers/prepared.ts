/**
 * Values made ready for a library that writes them: one walk that refuses what cannot be carried, says
 * where it is, and turns the rest into what the library knows.
 */
import { Decimal, LocalDate, LocalTime, Uuid } from './json-values.ts'
import { isMapping, refusal, UnsendableError } from './json-write.ts'

/** What a format makes of a value that is no list, mapping, text or truth; `keep` leaves it to the walk. */
export type Leaf = (value: number | bigint | object, children: Children) => unknown

/** Prepares the members of a collection of the format's own. */
export type Children = (value: unknown, step: string | number) => unknown

export const keep: unique symbol = Symbol('keep')

/** Readers have their limits too: PyYAML and msgpack for Python stop at about a thousand. */
const deepest = 500

/** A copy of `value` in the library's terms; throws an UnsendableError when it cannot be carried. */
export function prepared(value: unknown, leaf: Leaf): unknown {
  const path: (string | number)[] = []
  const open = new Set<object>()

  const child: Children = (member, step) => {
    path.push(step)
    const result = walk(member)
    path.pop()
    return result
  }

  function walk(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        refuseHalves(value, path)
        return value
      case 'boolean':
        return value
      case 'number':
      case 'bigint':
        return leafOf(value)
      case 'object':
        return value === null ? null : walkObject(value)
      case 'undefined':
        throw new UnsendableError([...path], 'undefined cannot be sent; use null')
      default:
        throw new UnsendableError([...path], `a ${typeof value} cannot be sent`)
    }
  }

  function leafOf(value: number | bigint | object): unknown {
    try {
      const made = leaf(value, child)
      return made === keep && typeof value !== 'object' ? value : made
    } catch (error) {
      if (error instanceof UnsendableError) throw error
      throw new UnsendableError([...path], (error as Error).message)
    }
  }

  function walkObject(value: object): unknown {
    if (open.has(value)) throw new UnsendableError([...path], 'the value contains itself')
    if (open.size >= deepest) throw new UnsendableError([...path], 'the value is nested too deeply')
    open.add(value)
    let result = leafOf(value)
    if (result === keep) result = collection(value)
    open.delete(value)
    return result
  }

  function collection(value: object): unknown {
    if (Array.isArray(value)) {
      // Holes are undefined, and refused as such.
      return Array.from(value, child)
    }
    if ('toJSON' in value && typeof value.toJSON === 'function') {
      return walk((value as { toJSON(key: string): unknown }).toJSON(String(path.at(-1) ?? '')))
    }
    if (!isMapping(value)) throw new UnsendableError([...path], refusal(value))
    const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>
    for (const [key, member] of Object.entries(value)) {
      if (member === undefined) continue
      refuseHalves(key, path)
      copy[key] = child(member, key)
    }
    return copy
  }

  return walk(value)
}

/** Throws for the classes of json-values.ts: their texts would not come back as what they were. */
export function refusePythonValues(value: object, format: string): void {
  const known = [Decimal, LocalDate, LocalTime, Uuid].find((one) => value instanceof one)
  if (!known) return
  throw new TypeError(`${format} has no ${known.name}; send its text, or use json or pickle`)
}

/** UTF-8 has no half of a surrogate pair; Node would write another character for it. */
export function refuseHalves(text: string, path: readonly (string | number)[]): void {
  if (/\p{Surrogate}/u.test(text)) {
    throw new UnsendableError([...path], 'a text with half of a surrogate pair cannot be sent')
  }
}
