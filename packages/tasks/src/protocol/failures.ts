/**
 * Errors ⇄ the plain data Python peers understand. Python looks the class up by module and name in what
 * it has loaded and makes up a class of that name when it finds none; so our errors get the names of
 * their Python counterparts where there are any, and a module that does not exist there otherwise.
 */
import { describe } from '../kernel/describe.ts'
import { TasksError } from '../kernel/errors.ts'
import { ownModule, registrationOf, reservedFields, withClass } from './error-classes.ts'
import {
  RemoteError,
  summaryOf,
  textOf,
  wireOf,
  type WireDetails,
  type WireException,
} from './remote-error.ts'
import { causesOf, pythonTraceback } from './traceback.ts'

export { ownModule } from './error-classes.ts'
export { RemoteError, type WireException } from './remote-error.ts'

export interface Failure {
  readonly exception: WireException
  /** In Python's layout, causes first; ends with the line `Type: message`. */
  readonly traceback: string
  /** One line, like `ValueError: x`; for logs and events. */
  readonly summary: string
}

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
  WouldBlockError: ['builtins', 'RuntimeError'],
  IncompleteStream: ['celery.exceptions', 'IncompleteStream'],
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

/** Causes of causes, and errors of one AggregateError, that are kept. */
const mostDetails = 10
const mostFields = 50

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

function exceptionOf(thrown: unknown, depth = 0): WireException {
  if (!(thrown instanceof Error)) {
    return { exc_type: 'Exception', exc_message: [sendable(thrown)], exc_module: 'builtins' }
  }
  if (thrown instanceof RemoteError) {
    const { excType, excModule, args } = RemoteError.of(thrown)!
    const wire = wireOf(thrown)
    const details = wire ? wire.celeriac : detailsOf(thrown, depth)
    return {
      exc_type: excType,
      exc_message: args.map(sendable),
      exc_module: excModule,
      ...(details && { celeriac: details }),
    }
  }
  const registered = registrationOf(thrown)
  const name = nameOf(thrown)
  const counterpart = Object.hasOwn(counterparts, name) ? counterparts[name] : undefined
  const [module, type] = registered?.name ?? counterpart ?? [ownModule, name]
  const args = argumentsOf(thrown, registered ? undefined : counterpart && argumentNames[name])
  const isTold = registered?.options.args === undefined || textOf(args) === thrown.message
  const details = detailsOf(thrown, depth, isTold ? undefined : thrown.message)
  return {
    exc_type: type,
    exc_message: args,
    exc_module: module,
    ...(details && { celeriac: details }),
  }
}

function argumentsOf(error: Error, argument: string | undefined): unknown[] {
  const given = registrationOf(error)?.options.args?.(error)
  if (Array.isArray(given)) return given.map(sendable)
  const value =
    argument === undefined ? undefined : (error as unknown as Record<string, unknown>)[argument]
  return [sendable(value ?? error.message)]
}

/** What Python's exceptions have no place for; undefined when there is nothing. */
function detailsOf(error: Error, depth: number, message?: string): WireDetails | undefined {
  // Of our own errors everything is in the name and the message.
  if (TasksError.is(error) && !registrationOf(error)) return undefined
  const fields = error instanceof RemoteError ? undefined : fieldsOf(error)
  const { cause, errors } = error as { cause?: unknown; errors?: unknown }
  const more = depth < mostDetails
  const several = Array.isArray(errors) ? (errors as unknown[]).slice(0, mostDetails) : []
  const details = {
    ...(message !== undefined && { message }),
    ...(fields && { fields }),
    ...(more && cause !== undefined && { cause: exceptionOf(cause, depth + 1) }),
    ...(more &&
      several.length > 0 && { errors: several.map((one) => exceptionOf(one, depth + 2)) }),
  }
  return Object.keys(details).length > 0 ? details : undefined
}

/** Only plain values unless the class says more: clients of HTTP keep requests and their secrets in errors. */
function fieldsOf(error: Error): Record<string, unknown> | undefined {
  const named = registrationOf(error)?.options.fields
  const values = error as unknown as Readonly<Record<string, unknown>>
  const found: [string, unknown][] = []
  for (const name of named ?? Object.keys(error)) {
    if (reservedFields.has(name) || found.length >= mostFields) continue
    const value = values[name]
    if (value === undefined) continue
    if (named) found.push([name, sendable(value)])
    else if (isPlain(value)) found.push([name, value])
  }
  return found.length > 0 ? Object.fromEntries(found) : undefined
}

function isPlain(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= 1000
  return value === null || typeof value === 'boolean' || Number.isFinite(value)
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

/**
 * A stored exception as an error: an instance of its class where that is known, else a plain RemoteError. Takes
 * whatever a peer has stored; never throws.
 */
export function decodeFailure(stored: unknown, traceback?: string | null): RemoteError {
  return errorFrom(stored, traceback ?? undefined, 0)
}

function errorFrom(stored: unknown, traceback: string | undefined, depth: number): RemoteError {
  const wire = readException(stored)
  const { exc_type: type, exc_module: module, exc_message: args } = wire
  const { fields, cause, errors } = wire.celeriac ?? {}
  const remote = new RemoteError(type, module, args, traceback, {
    fields,
    errors: errors?.slice(0, mostDetails).map((one) => errorFrom(one, undefined, depth + 1)),
    cause:
      cause && depth < mostDetails
        ? errorFrom(cause, undefined, depth + 1)
        : toldCause(wire, traceback),
    wire,
  })
  return withClass(remote)
}

/** Python says only in the text what an exception was raised from. */
function toldCause(
  { exc_type, exc_message }: WireException,
  traceback: string | undefined,
): RemoteError | undefined {
  const told = causesOf(traceback ?? '')
  const last = told.at(-1)
  // Of a retry the text ends with the retry itself, which comes from what is stored.
  if (last?.type === exc_type && (last.text ?? '') === textOf(exc_message)) told.pop()
  let cause: RemoteError | undefined
  for (const { module, type, text } of told) {
    const args = text === undefined ? [] : [text]
    cause = new RemoteError(type, module, args, undefined, { cause })
  }
  return cause
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
    celeriac,
  } = stored as Record<string, unknown>
  const details = readDetails(celeriac)
  return {
    exc_type: typeof type === 'string' && type !== '' ? type : 'Exception',
    exc_message: Array.isArray(message)
      ? message
      : message === null || message === undefined
        ? []
        : [message],
    exc_module: typeof module === 'string' ? module : 'builtins',
    ...(details && { celeriac: details }),
  }
}

function readDetails(value: unknown): WireDetails | undefined {
  if (!isTable(value)) return undefined
  const { message, fields, cause, errors } = value
  return {
    ...(typeof message === 'string' && { message }),
    ...(isTable(fields) && { fields }),
    ...(isTable(cause) && { cause: cause as unknown as WireException }),
    ...(Array.isArray(errors) && { errors: errors as WireException[] }),
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As Python shows an exception: `ValueError('x')`. */
export function exceptionRepr(exception: WireException): string {
  const name = exception.exc_type.slice(exception.exc_type.lastIndexOf('.') + 1)
  return `${name}(${exception.exc_message.map((argument) => describe(argument)).join(', ')})`
}
