/**
 * Errors ⇄ the plain data Python peers understand. Python looks the class up by module and name in what
 * it has loaded and makes up a class of that name when it finds none; so our errors get the names of
 * their Python counterparts where there are any, and a module that does not exist there otherwise.
 */
import { describe } from '../kernel/describe.ts'
import { pythonTraceback } from './traceback.ts'

/** An exception as it is stored and sent. */
export interface WireException {
  /** Qualified class name. */
  readonly exc_type: string
  /** The arguments of the exception. */
  readonly exc_message: readonly unknown[]
  readonly exc_module: string
}

export interface Failure {
  readonly exception: WireException
  /** In Python's layout, causes first; ends with the line `Type: message`. */
  readonly traceback: string
  /** One line, like `ValueError: x`; for logs and events. */
  readonly summary: string
}

/** The error of a task that ran somewhere else, whatever language it was written in. */
export class RemoteError extends Error {
  /** Qualified class name over there. */
  readonly excType: string
  readonly excModule: string
  readonly args: readonly unknown[]
  /** Where it was thrown over there, when that is known. */
  readonly traceback: string | undefined

  constructor(excType: string, excModule: string, args: readonly unknown[], traceback?: string) {
    super(summaryOf({ exc_type: excType, exc_message: args, exc_module: excModule }))
    this.name = 'RemoteError'
    this.excType = excType
    this.excModule = excModule
    this.args = args
    this.traceback = traceback
  }
}

/** Module of classes that have no counterpart; no Python package has this name. */
export const ownModule = 'celeriac'

/**
 * JavaScript's errors as the Python exceptions of the same meaning, so that `except ValueError` there
 * catches what means "bad value" here. A SyntaxError at run time is text that does not parse (JSON,
 * a pattern); Python's own SyntaxError is about source code.
 */
const counterparts: Readonly<Record<string, readonly [module: string, name: string]>> = {
  TypeError: ['builtins', 'TypeError'],
  RangeError: ['builtins', 'ValueError'],
  SyntaxError: ['builtins', 'ValueError'],
  URIError: ['builtins', 'ValueError'],
  ReferenceError: ['builtins', 'NameError'],
  TimeoutError: ['builtins', 'TimeoutError'],
  ChordError: ['celery.exceptions', 'ChordError'],
  InvalidTaskError: ['celery.exceptions', 'InvalidTaskError'],
  MaxRetriesExceededError: ['celery.exceptions', 'MaxRetriesExceededError'],
  NotRegistered: ['celery.exceptions', 'NotRegistered'],
  TaskRevokedError: ['celery.exceptions', 'TaskRevokedError'],
  Reject: ['celery.exceptions', 'Reject'],
  SoftTimeLimitExceeded: ['billiard.exceptions', 'SoftTimeLimitExceeded'],
  TimeLimitExceeded: ['billiard.exceptions', 'TimeLimitExceeded'],
  Terminated: ['billiard.exceptions', 'Terminated'],
  WorkerLostError: ['billiard.exceptions', 'WorkerLostError'],
}

/** Arguments Python's own class is made with, where they are not the message. */
const argumentNames: Readonly<Record<string, string>> = {
  NotRegistered: 'task',
  TimeLimitExceeded: 'seconds',
  Terminated: 'signal',
}

/** Anything thrown, as it is stored. Always serialisable; never throws. */
export function encodeFailure(thrown: unknown): Failure {
  try {
    const exception = exceptionOf(thrown)
    const traceback = pythonTraceback(thrown, (error) => summaryOf(exceptionOf(error)))
    return { exception, traceback, summary: summaryOf(exception) }
  } catch {
    // Its name, message or stack is a getter that throws.
    const summary = 'Exception: an error that cannot be read'
    const exception = readException('an error that cannot be read')
    return { exception, traceback: `${summary}\n`, summary }
  }
}

function exceptionOf(thrown: unknown): WireException {
  if (!(thrown instanceof Error)) {
    return { exc_type: 'Exception', exc_message: [sendable(thrown)], exc_module: 'builtins' }
  }
  if (isRemote(thrown)) {
    const { excType, excModule, args } = thrown
    return { exc_type: excType, exc_message: args.map(sendable), exc_module: excModule }
  }
  const name = nameOf(thrown)
  const counterpart = Object.hasOwn(counterparts, name) ? counterparts[name] : undefined
  const [module, type] = counterpart ?? [ownModule, name]
  const argument = counterpart && argumentNames[name]
  const value =
    argument === undefined
      ? thrown.message
      : (thrown as unknown as Record<string, unknown>)[argument]
  return { exc_type: type, exc_message: [sendable(value ?? thrown.message)], exc_module: module }
}

/** Also RemoteErrors of another copy of this package. */
function isRemote(error: Error): error is RemoteError {
  const { excType, excModule, args } = error as Partial<RemoteError>
  return typeof excType === 'string' && typeof excModule === 'string' && Array.isArray(args)
}

/** Classes that do not set `name` are called by what they are. */
function nameOf(error: Error): string {
  const { name } = error
  if (typeof name === 'string' && name !== '' && name !== 'Error') return name
  return error.constructor?.name || 'Error'
}

/** The value itself when every serializer can carry it, else its short text. */
function sendable(value: unknown): unknown {
  return isSendable(value, 0) ? value : describe(value)
}

function isSendable(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  // The depth stops cycles, too.
  if (typeof value !== 'object' || depth > 8) return false
  if (Array.isArray(value)) return value.every((item) => isSendable(item, depth + 1))
  if (value instanceof Date) return !Number.isNaN(value.getTime())
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return false
  // A lone `__type__` would be taken for a typed value and make the whole record unreadable.
  if ('__type__' in value) return false
  return Object.values(value).every((item) => isSendable(item, depth + 1))
}

/** A stored exception as an error. Takes whatever a peer has stored; never throws. */
export function decodeFailure(stored: unknown, traceback?: string | null): RemoteError {
  const exception = readException(stored)
  return new RemoteError(
    exception.exc_type,
    exception.exc_module,
    exception.exc_message,
    traceback ?? undefined,
  )
}

/** What a peer has stored as an exception, with the parts it left out filled in; never throws. */
export function readException(stored: unknown): WireException {
  if (typeof stored !== 'object' || stored === null || Array.isArray(stored)) {
    return {
      exc_type: 'Exception',
      exc_message: stored === null || stored === undefined ? [] : [stored],
      exc_module: 'builtins',
    }
  }
  const {
    exc_type: type,
    exc_message: message,
    exc_module: module,
  } = stored as Record<string, unknown>
  return {
    exc_type: typeof type === 'string' && type !== '' ? type : 'Exception',
    exc_message: Array.isArray(message)
      ? message
      : message === null || message === undefined
        ? []
        : [message],
    exc_module: typeof module === 'string' ? module : 'builtins',
  }
}

/** As Python shows an exception: `ValueError('x')`. */
export function exceptionRepr(exception: WireException): string {
  const name = exception.exc_type.slice(exception.exc_type.lastIndexOf('.') + 1)
  return `${name}(${exception.exc_message.map((argument) => describe(argument)).join(', ')})`
}

/** `ValueError: x`; several arguments are shown like a tuple. */
function summaryOf({ exc_type, exc_message }: WireException): string {
  if (exc_message.length === 0) return exc_type
  if (exc_message.length > 1) {
    return `${exc_type}: (${exc_message.map((argument) => describe(argument)).join(', ')})`
  }
  const [only] = exc_message
  return `${exc_type}: ${typeof only === 'string' ? only : describe(only)}`
}
