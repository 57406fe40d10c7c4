/** Tasks that belong to no app: defined once in a library, part of every app that is made before or after. */
import type { Celeriac } from './app.ts'
import { makeTask, type AnyFunction, type Task, type TaskOptions } from './task.ts'
import { splitOptions } from './task-options.ts'
import { TasksError } from '../kernel/errors.ts'
import type { Schema } from '../kernel/schema.ts'
import type {
  ArgumentsSchema,
  Declared,
  HandlerFor,
  Needing,
  OptionsWith,
  Unsendable,
} from './typed.ts'

interface State {
  readonly apps: Set<WeakRef<Celeriac>>
  readonly shared: Map<string, (app: Celeriac) => object>
  current: Celeriac | undefined
}

// Two copies of this package share their apps, as they share brands.
const key = Symbol.for('celeriac.shared')
const state: State = ((globalThis as Record<symbol, unknown>)[key] ??= {
  apps: new Set(),
  shared: new Map(),
  current: undefined,
} satisfies State) as State

/** Called for every new app: it gets what is shared so far, and what comes. */
export function enrol(app: Celeriac, isCurrent: boolean): void {
  for (const define of state.shared.values()) define(app)
  for (const one of state.apps) if (one.deref() === undefined) state.apps.delete(one)
  state.apps.add(new WeakRef(app))
  if (isCurrent) state.current = app
}

/** The app made last, or the one chosen by `setCurrentApp`; throws `TASKS_APP_NOT_FOUND` when there is none. */
export function currentApp(): Celeriac {
  if (state.current) return state.current
  throw new TasksError('TASKS_APP_NOT_FOUND', 'there is no app yet; make one with new Celeriac()')
}

export function setCurrentApp(app: Celeriac): void {
  state.current = app
}

/** A shared task: sent through the current app, or through the one given to `of`. */
export type SharedTask<Name extends string, F extends AnyFunction> = Task<Name, F> & {
  /** This task as a task of that app. */
  of(app: Celeriac): Task<Name, F>
}

/**
 * Defines a task for every app, those that exist and those that will. Throws `TASKS_ALREADY_REGISTERED` when
 * the name is shared already.
 */
export function sharedTask<const Name extends string, F extends AnyFunction>(
  name: Name,
  run: F & Needing<Unsendable<F>>,
): SharedTask<Name, F>
export function sharedTask<
  const Name extends string,
  F extends HandlerFor<A, S>,
  A extends ArgumentsSchema = ArgumentsSchema,
  S extends Schema = Schema,
>(
  name: Name,
  options: OptionsWith<A, S>,
  run: F & Needing<Unsendable<Declared<F, A, S>>>,
): SharedTask<Name, Declared<F, A, S>>
export function sharedTask<const Name extends string, F extends AnyFunction>(
  name: Name,
  ...rest: [F] | [TaskOptions, F]
): unknown {
  const [options, run] = rest.length === 1 ? [{}, rest[0]] : rest
  if (state.shared.has(name)) {
    throw new TasksError('TASKS_ALREADY_REGISTERED', `a task '${name}' is shared already`)
  }
  // Before it is shared: every app that is made later would throw for it.
  splitOptions(name, options)
  const fronts = new WeakMap<Celeriac, Task<Name, F>>()
  const define = (app: Celeriac): Task<Name, F> => {
    const front = makeTask(app, name, options, run)
    fronts.set(app, front)
    return front
  }
  state.shared.set(name, define)
  for (const one of state.apps) {
    const app = one.deref()
    if (app) define(app)
  }
  const of = (app: Celeriac): Task<Name, F> => fronts.get(app) ?? define(app)
  const call = function (this: unknown, ...args: Parameters<F>): ReturnType<F> {
    return Reflect.apply(of(currentApp()) as unknown as F, this, args) as ReturnType<F>
  }
  Object.defineProperty(call, 'name', { value: name })
  return new Proxy(call, {
    get: (target, property) => {
      if (property === 'of') return of
      if (property === 'name') return name
      const found: unknown = Reflect.get(of(currentApp()), property)
      return found ?? Reflect.get(target, property)
    },
  })
}
