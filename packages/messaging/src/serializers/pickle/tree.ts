/**
 * What the reader holds while it reads: dicts whose keys are not all known yet, classes, and objects that
 * wait for their state. At the end all of it becomes plain values.
 */
import { deepest } from '../endless.ts'
import type { PickleGlobal } from './globals.ts'

export class PickledDict {
  readonly members = new Map<unknown, unknown>()
}

/** A class or function that the pickle names and that is allowed. */
export class Named {
  readonly name: string
  readonly make: PickleGlobal

  constructor(name: string, make: PickleGlobal) {
    this.name = name
    this.make = make
  }
}

/** A call of a named class; its state may follow. */
export class Unbuilt {
  readonly named: Named
  readonly args: readonly unknown[]
  /** Numbers it is remembered by. */
  readonly places: number[] = []
  #built: { readonly value: unknown } | undefined

  constructor(named: Named, args: readonly unknown[]) {
    this.named = named
    this.args = args
  }

  /** `spend` is told how much is handed over, and may refuse. */
  build(state: unknown, spend: (size: number) => void): unknown {
    if (this.#built) {
      // It was used before its state was known, most likely by the state.
      if (state !== undefined) throw new TypeError('the value contains itself')
      return this.#built.value
    }
    const { takesClasses = false } = this.named.make
    const args = this.args.map((arg) =>
      takesClasses && arg instanceof Named ? arg.name : finished(arg, spend),
    )
    const given = state === undefined ? undefined : finished(state, spend)
    try {
      this.#built = { value: this.named.make(args, given) }
      return this.#built.value
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new TypeError(`${this.named.name}: ${why}`, { cause: error })
    }
  }
}

/** Puts what alternates, key and value, into a dict. */
export function putAll(
  dict: PickledDict | Map<unknown, unknown>,
  pairs: readonly unknown[],
): PickledDict | Map<unknown, unknown> {
  if (pairs.length % 2 !== 0) throw new TypeError('a key has no value')
  const members: Map<unknown, unknown> = dict instanceof PickledDict ? dict.members : dict
  for (let i = 0; i < pairs.length; i += 2) members.set(pairs[i], pairs[i + 1])
  return dict
}

/** A copy in plain values: a dict is an object when all its keys are texts, else a Map. */
export function finished(value: unknown, spend: (size: number) => void = () => undefined): unknown {
  const copies = new Map<object, unknown>()
  const open = new Set<object>()

  function copy(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) {
      spend(typeof value === 'string' ? value.length : 1)
      return value
    }
    if (value instanceof Named) throw new TypeError(`${value.name} is a class, not a value`)
    if (value instanceof Uint8Array) spend(value.length)
    else spend(1)
    const isCollection =
      Array.isArray(value) ||
      value instanceof Set ||
      value instanceof Map ||
      value instanceof PickledDict
    if (!isCollection) return value
    if (copies.has(value)) return copies.get(value)
    if (open.has(value)) throw new TypeError('the value contains itself')
    if (open.size >= deepest) throw new TypeError(`the value is nested deeper than ${deepest}`)
    open.add(value)
    const made = copyOf(value)
    open.delete(value)
    copies.set(value, made)
    return made
  }

  function copyOf(value: readonly unknown[] | Set<unknown> | Map<unknown, unknown> | PickledDict) {
    if (Array.isArray(value)) return value.map(copy)
    if (value instanceof Set) return new Set([...value].map(copy))
    const members = value instanceof PickledDict ? value.members : (value as Map<unknown, unknown>)
    const pairs = Array.from(members, ([key, member]) => [copy(key), copy(member)] as const)
    if (value instanceof PickledDict && pairs.every(isNamed)) return Object.fromEntries(pairs)
    return new Map(pairs)
  }

  return copy(value)
}

function isNamed(pair: readonly [unknown, unknown]): pair is readonly [string, unknown] {
  return typeof pair[0] === 'string'
}
