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
  /** The URL cannot be read, or its scheme is of no transport. */
  | 'MESSAGING_URL_INVALID'
  /** An option that is unknown or has no such value; a call that contradicts itself. */
  | 'MESSAGING_OPTION_INVALID'
  /** The package of a broker's driver is not installed; the text says how to. */
  | 'MESSAGING_DRIVER_MISSING'
  /** This transport cannot do that; `Capabilities` tells before. */
  | 'MESSAGING_NOT_SUPPORTED'
  /** No link came about: nobody answers, the certificate is not trusted, the virtual host is not there. */
  | 'MESSAGING_CONNECT_FAILED'
  /** User, password, certificate or way to log in are refused. */
  | 'MESSAGING_AUTHENTICATION_FAILED'
  /** The link broke; with a publish without `retry`, whether it was stored is unknown. */
  | 'MESSAGING_CONNECTION_LOST'
  /** It was closed here before. */
  | 'MESSAGING_CONNECTION_CLOSED'
  /** The channel is over, by the broker's will or by ours; open another. */
  | 'MESSAGING_CHANNEL_CLOSED'
  /** Others may hold what this session held: its settlements are refused. */
  | 'MESSAGING_LEASE_LOST'
  /** The broker does not make, bind or consume this as it was asked for. */
  | 'MESSAGING_DECLARATION_REFUSED'
  | 'MESSAGING_QUEUE_NOT_FOUND'
  /** Nothing came in time, where waiting was asked for. */
  | 'MESSAGING_QUEUE_EMPTY'
  /** The broker does not take this message, or too many wait for it already. It is not stored. */
  | 'MESSAGING_PUBLISH_REFUSED'
  /** Not confirmed by its deadline: stored or not. */
  | 'MESSAGING_PUBLISH_TIMEOUT'
  /** `mandatory`, and no queue takes it. */
  | 'MESSAGING_UNROUTABLE'
  /** A body, headers, a routing key or a decompressed body beyond what is allowed. */
  | 'MESSAGING_TOO_LARGE'
  /** A delivery is settled once. */
  | 'MESSAGING_ALREADY_SETTLED'
  /** The value, a header or a property has no form there. */
  | 'MESSAGING_ENCODE_FAILED'
  /** The body is not what its content type says. */
  | 'MESSAGING_DECODE_FAILED'
  /** A content type that `accept` does not allow. */
  | 'MESSAGING_CONTENT_DISALLOWED'
  /** A content type, an encoding or a compression nobody knows. */
  | 'MESSAGING_CONTENT_UNKNOWN'
  /** The optional package of a codec is not installed; the text says how to. */
  | 'MESSAGING_PACKAGE_MISSING'
  /** A codec whose package has not been loaded yet. */
  | 'MESSAGING_NOT_LOADED'
  /** A pickle names what is not allowed. */
  | 'MESSAGING_GLOBAL_REFUSED'
  /** Nobody answered in time. */
  | 'MESSAGING_TIMEOUT'
  /** Given up by whoever asked. */
  | 'MESSAGING_ABORTED'
  /** Everything a pool, or the channels of a link, can give is in use. */
  | 'MESSAGING_POOL_EXHAUSTED'
  /** The storage behind a broker failed: a file, a disk, a table. */
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
