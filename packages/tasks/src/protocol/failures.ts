/** Errors ⇄ the plain data Python peers understand. */

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
  readonly excType: string
  readonly excModule: string
  readonly args: readonly unknown[]
  /** Where it was thrown over there, when that is known. */
  readonly traceback: string | undefined

  constructor(excType: string, excModule: string, args: readonly unknown[], traceback?: string) {
    super(excType)
    this.name = 'RemoteError'
    this.excType = excType
    this.excModule = excModule
    this.args = args
    this.traceback = traceback
  }
}

/** Anything thrown, as it is stored. Always serialisable; never throws. */
export function encodeFailure(thrown: unknown): Failure {
  throw new Error('not written yet')
}

/** A stored exception as an error. Takes whatever a peer has stored; never throws. */
export function decodeFailure(stored: unknown, traceback?: string | null): RemoteError {
  throw new Error('not written yet')
}

/** As Python shows an exception: `ValueError('x')`. */
export function exceptionRepr(exception: WireException): string {
  throw new Error('not written yet')
}
