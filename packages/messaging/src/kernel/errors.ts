/**
 * The one error type of this package. Retry code reads `fault`, users read `code`; the driver's own
 * error is always kept in `cause`.
 */

/**
 * How bad a failure is. `message`: this message only; `channel`: open a new channel; `connection`:
 * open a new connection; `fatal`: trying again cannot help.
 */
export type Fault = 'message' | 'channel' | 'connection' | 'fatal'

/** Stable names of everything that can go wrong here. Texts may change, codes do not. */
export type MessagingCode =
  | 'MESSAGING_URL_INVALID'
  | 'MESSAGING_OPTION_INVALID'
  | 'MESSAGING_DRIVER_MISSING'
  | 'MESSAGING_NOT_SUPPORTED'
  | 'MESSAGING_CONNECT_FAILED'
  | 'MESSAGING_AUTHENTICATION_FAILED'
  | 'MESSAGING_CONNECTION_LOST'
  | 'MESSAGING_CONNECTION_CLOSED'
  | 'MESSAGING_CHANNEL_CLOSED'
  | 'MESSAGING_LEASE_LOST'
  | 'MESSAGING_DECLARATION_REFUSED'
  | 'MESSAGING_QUEUE_NOT_FOUND'
  | 'MESSAGING_QUEUE_EMPTY'
  | 'MESSAGING_PUBLISH_REFUSED'
  | 'MESSAGING_PUBLISH_TIMEOUT'
  | 'MESSAGING_UNROUTABLE'
  | 'MESSAGING_TOO_LARGE'
  | 'MESSAGING_ALREADY_SETTLED'
  | 'MESSAGING_ENCODE_FAILED'
  | 'MESSAGING_DECODE_FAILED'
  | 'MESSAGING_CONTENT_DISALLOWED'
  | 'MESSAGING_CONTENT_UNKNOWN'
  | 'MESSAGING_PACKAGE_MISSING'
  | 'MESSAGING_NOT_LOADED'
  | 'MESSAGING_GLOBAL_REFUSED'
  | 'MESSAGING_TIMEOUT'
  | 'MESSAGING_ABORTED'
  | 'MESSAGING_POOL_EXHAUSTED'
  | 'MESSAGING_STORE_FAILED'

const brand = Symbol.for('celeriac.messaging.error')

/** Root of every error this package throws; `code` is stable, `message` is not. */
export class MessagingError extends Error {
  readonly code: MessagingCode
  readonly fault: Fault
  readonly [brand] = true

  constructor(code: MessagingCode, fault: Fault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MessagingError'
    this.code = code
    this.fault = fault
  }

  /** Works across two copies of this package, where `instanceof` would not. */
  static is(error: unknown): error is MessagingError {
    return typeof error === 'object' && error !== null && brand in error
  }
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Keeps a `MessagingError` as it is and wraps everything else with the given code and fault. */
export function asMessagingError(
  error: unknown,
  code: MessagingCode,
  fault: Fault,
  what: string,
): MessagingError {
  if (MessagingError.is(error)) return error
  return new MessagingError(code, fault, `${what}: ${messageOf(error)}`, { cause: error })
}
