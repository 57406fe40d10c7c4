/**
 * Values that were read from a format in which parts can be shared. A circle cannot be worked with here,
 * and few bytes can stand for a value that is endless once it is written out as a tree.
 */

/** Values of a tree that is still good-natured, however few bytes it came in. */
const mostValues = 1_000_000

/** Deeper ones would overflow the stack of whoever walks over them. */
export const deepest = 1000

/** Throws a TypeError for a value that contains itself, or is too deep or too large as a tree. */
export function refuseEndless(value: unknown): void {
  const sizes = new Map<object, number>()
  const open = new Set<object>()

  function size(value: unknown): number {
    if (typeof value !== 'object' || value === null) return 1
    const known = sizes.get(value)
    if (known !== undefined) return known
    if (open.has(value)) throw new TypeError('the value contains itself')
    if (open.size >= deepest) throw new TypeError(`the value is nested deeper than ${deepest}`)
    open.add(value)
    let total = 1
    for (const member of membersOf(value)) {
      total += size(member)
      if (total > mostValues) throw new TypeError(`the value has more than ${mostValues} parts`)
    }
    open.delete(value)
    sizes.set(value, total)
    return total
  }

  size(value)
}

function membersOf(value: object): Iterable<unknown> {
  if (Array.isArray(value) || value instanceof Set) return value
  if (value instanceof Map) return [...value.keys(), ...value.values()]
  return ArrayBuffer.isView(value) ? [] : Object.values(value)
}
