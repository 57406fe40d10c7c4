/** Python's keyword arguments, in a call: `add.s(2, kw({ debug: true }))`. */
import type { Keywords } from '../canvas/types.ts'
import { describe } from '../kernel/describe.ts'
import { TasksError } from '../kernel/errors.ts'

const mark = Symbol.for('celeriac.kwargs')

/** Marks an object as keyword arguments; it must be the last argument. */
export function kw<K extends object>(kwargs: K): Keywords<K> {
  const marked = Object.defineProperty({ ...kwargs }, mark, { value: true, enumerable: false })
  return marked as Keywords<K>
}

const none: Readonly<Record<string, unknown>> = Object.freeze({})

/** Separates the keyword arguments, when the last argument is marked as such. */
export function splitKw(args: readonly unknown[]): {
  readonly positional: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
} {
  if (!Array.isArray(args)) {
    throw new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      `arguments must be a list, such as [1, 2], not ${describe(args)}`,
    )
  }
  const last: unknown = args.at(-1)
  if (typeof last !== 'object' || last === null || !(mark in last))
    return { positional: args, kwargs: none }
  return { positional: args.slice(0, -1), kwargs: { ...last } }
}
