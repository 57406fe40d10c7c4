/**
 * Classes of errors by the names they have on the wire: our own, and those that users register. A class is
 * found by its name and nothing else; no constructor of a user is called with what came from outside.
 */
import {
  ChordError,
  InvalidTaskError,
  MaxRetriesExceededError,
  NotRegistered,
  SoftTimeLimitExceeded,
  TaskRevokedError,
  TasksError,
  Terminated,
  TimeLimitExceeded,
  TimeoutError,
  WorkerLostError,
} from '../kernel/errors.ts'
import { attachRemote, textOf, wireOf, type RemoteError } from './remote-error.ts'

/** Module of classes that have no counterpart; no Python package has this name. */
export const ownModule = 'celeriac'

/** A class of errors. */
export type ErrorClass<E extends Error = Error> = abstract new (...args: never[]) => E

/** How errors of a class travel. */
export interface ErrorRegistration<E extends Error = Error> {
  /** Python's module of the class; default `celeriac`, which does not exist there. */
  readonly module?: string
  /** Its qualified name; default the name of the class here. */
  readonly type?: string
  /** What Python's class is to be made with; default the message alone. */
  readonly args?: (error: E) => readonly unknown[]
  /**
   * Properties that travel with it, of any plain value; default its own that are texts of at most 1000 letters,
   * numbers, booleans or null.
   */
  readonly fields?: readonly string[]
  /**
   * Makes the error of what came. Default: an instance of the class whose constructor was not called, with
   * message, cause, and the fields that came. When it throws, the error stays a `RemoteError`.
   */
  readonly revive?: (remote: RemoteError) => E
}

interface Entry {
  readonly type: ErrorClass
  readonly name: readonly [module: string, type: string]
  readonly options: ErrorRegistration
}

const byName = new Map<string, Entry>()
const byClass = new Map<unknown, Entry>()

const key = (module: string, type: string): string => `${module}:${type}`

/**
 * Makes a class of errors known: those that tasks throw travel under its name, and those that come back are
 * instances of it. Celery's Python looks for a class of this module and name in what it has loaded. Throws
 * `TASKS_ALREADY_REGISTERED` when another class has the name.
 */
export function registerError<E extends Error>(
  type: ErrorClass<E>,
  options: ErrorRegistration<E> = {},
): void {
  const { module = ownModule, type: name = type.name } = options
  if (typeof type !== 'function' || !(type.prototype instanceof Error)) {
    throw new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      `registerError takes a class that extends Error, found ${typeof type}`,
    )
  }
  if (name === '' || module === '') {
    throw new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      'an error class needs a name and a module; give them as { module, type }',
    )
  }
  const other = byName.get(key(module, name))
  if (other && other.type !== type) {
    throw new TasksError(
      'TASKS_ALREADY_REGISTERED',
      `another class of errors is registered as ${module}.${name} already`,
    )
  }
  const before = byClass.get(type)
  if (before) byName.delete(key(...before.name))
  // Only errors of the class get to what it was registered with.
  const known = options as unknown as ErrorRegistration
  const entry: Entry = { type, name: [module, name], options: known }
  byName.set(key(module, name), entry)
  byClass.set(type, entry)
}

/** How an error of a registered class travels; undefined for others. */
export function registrationOf(error: Error): Entry | undefined {
  return byClass.get(error.constructor)
}

/** The error as an instance of its class, where that is known; else as it is. Never throws. */
export function withClass(remote: RemoteError): RemoteError {
  const name = key(remote.excModule, remote.excType)
  try {
    const entry = byName.get(name)
    if (entry) {
      const { revive } = entry.options
      const error: unknown = revive ? revive(remote) : instanceOf(entry.type, remote)
      return error instanceof Error ? attachRemote(error, remote) : remote
    }
    const own = Object.hasOwn(ownErrors, name) ? ownErrors[name] : undefined
    if (!own) return remote
    const text = textOf(remote.args)
    const error = own(text, remote.args[0])
    if (text !== '') error.message = text
    return attachRemote(error, remote)
  } catch {
    // A class that cannot be made of this is no reason to lose the error.
    return remote
  }
}

/** Names that an error has from elsewhere. */
export const reservedFields: ReadonlySet<string> = new Set(
  'name message stack cause errors __proto__ constructor prototype excType excModule args traceback fields'.split(
    ' ',
  ),
)

/** An error of this class, with a stack, but without its constructor, which may do anything. */
function instanceOf(type: ErrorClass, remote: RemoteError): Error {
  const message = wireOf(remote)?.celeriac?.message ?? textOf(remote.args)
  const made = Reflect.construct(Error, [message], type) as Error
  // Its own looks for the constructor that was not called.
  Error.captureStackTrace(made, instanceOf)
  if (made.name === 'Error') {
    const properties = { value: type.name, configurable: true, writable: true }
    Object.defineProperty(made, 'name', properties)
  }
  for (const [name, value] of Object.entries(remote.fields)) {
    if (reservedFields.has(name)) continue
    // Defined, not assigned: a setter of the class would run.
    const properties = { value, enumerable: true, configurable: true, writable: true }
    Object.defineProperty(made, name, properties)
  }
  return made
}

type Make = (text: string, first: unknown) => Error

/** `NaN` where who stored it did not say. */
const seconds = (text: string): number => Number(/(\d+(?:\.\d+)?)s?\b/.exec(text)?.[1] ?? NaN)

/** Our own errors. Python's TimeoutError is what ours travels as. */
const ownErrors: Readonly<Record<string, Make>> = {
  'builtins:TimeoutError': (text) => new TimeoutError(text),
  'celery.exceptions:TimeoutError': (text) => new TimeoutError(text),
  'celery.exceptions:ChordError': (text) => new ChordError(text),
  'celery.exceptions:InvalidTaskError': (text) => new InvalidTaskError(text),
  'celery.exceptions:MaxRetriesExceededError': () => new MaxRetriesExceededError('', ''),
  'celery.exceptions:NotRegistered': (_text, task) => new NotRegistered(String(task)),
  'celery.exceptions:TaskRevokedError': (text) => new TaskRevokedError(text || 'revoked'),
  'billiard.exceptions:SoftTimeLimitExceeded': (text) => new SoftTimeLimitExceeded(seconds(text)),
  'billiard.exceptions:TimeLimitExceeded': (text) => new TimeLimitExceeded(seconds(text)),
  'billiard.exceptions:Terminated': (text) => new Terminated(text),
  'billiard.exceptions:WorkerLostError': (text) => new WorkerLostError(text),
}
