/** The error of a task that ran elsewhere, and an exception as it is stored and sent. */
import { describe } from '../kernel/describe.ts'

/** An exception as it is stored and sent. */
export interface WireException {
  /** Qualified class name. */
  readonly exc_type: string
  /** The arguments of the exception. */
  readonly exc_message: readonly unknown[]
  readonly exc_module: string
  /** What only JavaScript's errors have; Python does not look at it. */
  readonly celeriac?: WireDetails
}

export interface WireDetails {
  /** Where the arguments do not tell it. */
  readonly message?: string
  /** Properties of the error beyond its message. */
  readonly fields?: Readonly<Record<string, unknown>>
  readonly cause?: WireException
  /** Those of an AggregateError. */
  readonly errors?: readonly WireException[]
}

/** What a RemoteError has beyond class, arguments and traceback. */
export interface RemoteDetails {
  readonly fields?: Readonly<Record<string, unknown>> | undefined
  readonly errors?: readonly RemoteError[] | undefined
  readonly cause?: unknown
  /** As it was stored. */
  readonly wire?: WireException | undefined
}

const brand = Symbol.for('celeriac.remote-error')

/**
 * The error of a task that ran somewhere else, whatever language it was written in. Errors of classes that are
 * known here are instances of those, and have the same properties: `instanceof RemoteError` is true of them,
 * too, which tells what a task threw from what went wrong here.
 */
export class RemoteError extends Error {
  /** Qualified class name over there. */
  readonly excType: string
  readonly excModule: string
  /** What the exception was made with; of JavaScript's errors the message. */
  readonly args: readonly unknown[]
  /** Where it was thrown over there, when that is known. */
  readonly traceback: string | undefined
  /** More properties of the error (`code`, `errno` …), where it was one of JavaScript. */
  readonly fields: Readonly<Record<string, unknown>>
  /** Those of an AggregateError. */
  readonly errors: readonly RemoteError[] | undefined

  constructor(
    excType: string,
    excModule: string,
    args: readonly unknown[],
    traceback?: string,
    details: RemoteDetails = {},
  ) {
    const { fields = {}, errors, cause, wire } = details
    super(
      summaryOf({ exc_type: excType, exc_message: args, exc_module: excModule }),
      cause === undefined ? undefined : { cause },
    )
    this.name = 'RemoteError'
    this.excType = excType
    this.excModule = excModule
    this.args = args
    this.traceback = traceback
    this.fields = fields
    this.errors = errors
    Object.defineProperty(this, brand, { value: { remote: this, wire } })
  }

  /** True for every error that came from a task, of any copy of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== RemoteError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return typeof value === 'object' && value !== null && brand in value
  }

  /** What is known of an error that came from a task, whatever its class; undefined for all others. */
  static of(error: unknown): RemoteError | undefined {
    return partsOf(error)?.remote
  }
}

interface Parts {
  readonly remote: RemoteError
  readonly wire: WireException | undefined
}

function partsOf(error: unknown): Parts | undefined {
  if (!(error instanceof RemoteError)) return undefined
  return (error as unknown as Record<symbol, Parts>)[brand]
}

/** What it was read from; undefined for errors that were made here. */
export function wireOf(error: RemoteError): WireException | undefined {
  return partsOf(error)?.wire
}

/** Gives an error of another class what a RemoteError has. Throws when it cannot be changed. */
export function attachRemote<E extends Error>(error: E, remote: RemoteError): E & RemoteError {
  const { excType, excModule, args, traceback, fields, errors } = remote
  const told = { excType, excModule, args, traceback, fields, ...(errors && { errors }) }
  for (const [name, value] of Object.entries(told))
    if (!(name in error)) Object.defineProperty(error, name, { value })
  if (remote.cause !== undefined && error.cause === undefined) {
    Object.defineProperty(error, 'cause', { value: remote.cause, configurable: true })
  }
  Object.defineProperty(error, brand, { value: partsOf(remote) })
  return error as E & RemoteError
}

/** The text of an exception alone, as Python's `str()` gives it. */
export function textOf(args: readonly unknown[]): string {
  if (args.length === 0) return ''
  if (args.length > 1) return `(${args.map((argument) => describe(argument)).join(', ')})`
  const [only] = args
  return typeof only === 'string' ? only : describe(only)
}

/** `ValueError: x`; several arguments are shown like a tuple. */
export function summaryOf({ exc_type, exc_message }: WireException): string {
  return exc_message.length === 0 ? exc_type : `${exc_type}: ${textOf(exc_message)}`
}
