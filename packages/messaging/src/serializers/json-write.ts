/**
 * Values to JSON text. Almost everything that is sent is plain and goes through `JSON.stringify`; one
 * cheap walk tells. The rest is written here, where every refusal names the place.
 */
import { writeTyped } from './json-typed.ts'

/** A value that JSON cannot carry; `path` leads to it from the top. */
export class UnsendableError extends TypeError {
  readonly path: readonly (string | number)[]
  /** What is wrong, without the place. */
  readonly reason: string

  constructor(path: readonly (string | number)[], reason: string) {
    super(path.length > 0 ? `${pathText(path)}: ${reason}` : reason)
    this.name = 'UnsendableError'
    this.path = path
    this.reason = reason
  }
}

/** A path as it is written in code: `args[1].callback`. */
export function pathText(path: readonly (string | number)[]): string {
  const steps = path.map((step) => {
    if (typeof step === 'number') return `[${step}]`
    return /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`
  })
  return steps.join('').replace(/^\./, '')
}

/** Deeper values take the slow way, which notices a circle. */
const DEEPEST_FAST = 200

/** JSON text of `value`; throws an UnsendableError when it cannot be carried without loss. */
export function stringifyJson(value: unknown): string {
  return isPlain(value, 0) ? JSON.stringify(value) : write(value, [], new Set())
}

/** True when `JSON.stringify` writes exactly what is meant. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER
    case 'object': {
      if (value === null) return true
      if (depth > DEEPEST_FAST) return false
      if (Array.isArray(value)) {
        for (let i = 0; i < value.length; i++) if (!isPlain(value[i], depth + 1)) return false
        return true
      }
      const prototype: unknown = Object.getPrototypeOf(value)
      if (prototype !== Object.prototype && prototype !== null) return false
      for (const key in value) {
        const member = (value as Record<string, unknown>)[key]
        if (member !== undefined && !isPlain(member, depth + 1)) return false
      }
      return true
    }
    default:
      return false
  }
}

type Path = (string | number)[]

function write(value: unknown, path: Path, open: Set<object>): string {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value)
    case 'number':
      return writeNumber(value)
    case 'bigint':
      return String(value)
    case 'object':
      return value === null ? 'null' : writeObject(value, path, open)
    case 'undefined':
      throw new UnsendableError([...path], 'undefined cannot be sent; use null')
    default:
      throw new UnsendableError([...path], `a ${typeof value} cannot be sent`)
  }
}

function writeNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const text = JSON.stringify(value)
  // Beyond 2^53 a number is a double, not an integer: without the point it would come back as a bigint.
  return Number.isSafeInteger(value) || !/^-?\d+$/.test(text) ? text : `${text}.0`
}

function writeObject(value: object, path: Path, open: Set<object>): string {
  if (open.has(value)) throw new UnsendableError([...path], 'the value contains itself')
  let typed: string | undefined
  try {
    typed = writeTyped(value)
  } catch (error) {
    throw new UnsendableError([...path], (error as Error).message)
  }
  if (typed !== undefined) return typed

  open.add(value)
  let text: string
  if (Array.isArray(value)) text = writeList(value, path, open)
  else if ('toJSON' in value && typeof value.toJSON === 'function') {
    text = write(
      (value as { toJSON(key: string): unknown }).toJSON(String(path.at(-1) ?? '')),
      path,
      open,
    )
  } else if (isMapping(value)) text = writeMembers(value, path, open)
  else throw new UnsendableError([...path], refusal(value))
  open.delete(value)
  return text
}

function writeList(value: readonly unknown[], path: Path, open: Set<object>): string {
  const parts: string[] = []
  for (let index = 0; index < value.length; index++) {
    path.push(index)
    parts.push(write(value[index], path, open))
    path.pop()
  }
  return `[${parts.join(',')}]`
}

function writeMembers(value: object, path: Path, open: Set<object>): string {
  const parts: string[] = []
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue
    path.push(key)
    parts.push(`${JSON.stringify(key)}:${write(member, path, open)}`)
    path.pop()
  }
  return `{${parts.join(',')}}`
}

/** True for what is written as a mapping, and not an instance of something else. */
export function isMapping(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  // Mappings of another realm (a vm, a worker's global) have another Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** Why an instance cannot be sent, and what to do. */
export function refusal(value: object): string {
  const name = value.constructor?.name || 'object'
  const hint: Record<string, string> = {
    Map: '; use Object.fromEntries(map) or [...map]',
    Set: '; use [...set]',
    Promise: '; await it first',
  }
  return `a ${name} cannot be sent${hint[name] ?? '; give it a toJSON method or send a plain object'}`
}
