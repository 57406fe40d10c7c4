/** amqplib's errors → typed errors whose fault says what is over: the message, the channel, the link. */
import { MessagingError, messageOf, type Fault, type MessagingCode } from '../../kernel/errors.ts'
import type { Publication } from '../../transport/channel.ts'

/** AMQP reply codes that this transport tells apart. */
export const reply = {
  contentTooLarge: 311,
  accessRefused: 403,
  notFound: 404,
  resourceLocked: 405,
  preconditionFailed: 406,
  notImplemented: 540,
  internalError: 541,
} as const

/** The reply code of an error that the broker caused. */
export function replyCodeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'number' ? code : undefined
}

/** What went wrong while connecting to `masked`. */
export function connectError(error: unknown, masked: string): MessagingError {
  if (MessagingError.is(error)) return error
  // The error of several addresses has a code and no words.
  const text = messageOf(error) || String((error as { code?: unknown } | undefined)?.code)
  const make = (code: MessagingCode, fault: Fault, why: string): MessagingError =>
    new MessagingError(code, fault, `connecting to ${masked}: ${why}`, { cause: error })
  if (/\b403 \(ACCESS.REFUSED\)/.test(text)) {
    const hint = `${text}; check user and password of the URL (guest may only log in from localhost)`
    return make('MESSAGING_AUTHENTICATION_FAILED', 'fatal', hint)
  }
  // The library keeps the broker's words for itself here; after the login only the virtual host is left.
  if (/Expected ConnectionOpenOk; got <ConnectionClose/.test(text)) {
    const why =
      'the broker refused the virtual host: it does not exist, is down or full, or is not for this user'
    return make('MESSAGING_CONNECT_FAILED', 'fatal', why)
  }
  if (/SASL mechanism/.test(text)) return make('MESSAGING_AUTHENTICATION_FAILED', 'fatal', text)
  if (isCertificateError(error)) {
    return make('MESSAGING_CONNECT_FAILED', 'fatal', `${text}; see the transport option 'tls'`)
  }
  return make('MESSAGING_CONNECT_FAILED', 'connection', text)
}

function isCertificateError(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' && /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_SSL/.test(code)
}

/** Why a link ended: what the socket, the heartbeat or the broker said. */
export function linkError(error: unknown, masked: string): MessagingError {
  if (MessagingError.is(error)) return error
  const why = error === undefined ? 'it was closed' : messageOf(error)
  return new MessagingError(
    'MESSAGING_CONNECTION_LOST',
    'connection',
    `the link to ${masked} was lost: ${why}`,
    { cause: error },
  )
}

/** A refusal of the broker that ended the channel. `what`: what was asked for, when anything was. */
export function channelError(error: unknown, what?: string): MessagingError {
  if (MessagingError.is(error)) return error
  const text = messageOf(error)
  const said = what === undefined ? text : `${what}: ${text}`
  return new MessagingError(codeOf(replyCodeOf(error), text, what), 'channel', said, {
    cause: error,
  })
}

function codeOf(code: number | undefined, text: string, what: string | undefined): MessagingCode {
  if (code === reply.notFound && /no queue/i.test(text)) return 'MESSAGING_QUEUE_NOT_FOUND'
  if (what === undefined) {
    return code === reply.notFound ? 'MESSAGING_PUBLISH_REFUSED' : 'MESSAGING_CHANNEL_CLOSED'
  }
  const refusals: (number | undefined)[] = [
    reply.notFound,
    reply.accessRefused,
    reply.resourceLocked,
    reply.preconditionFailed,
  ]
  return refusals.includes(code) ? 'MESSAGING_DECLARATION_REFUSED' : 'MESSAGING_CHANNEL_CLOSED'
}

/**
 * True when the broker ended the whole link over one request, as it does for what it does not know.
 * `about`: what its words name then. Whoever asked must hear of a refusal, or would ask for ever.
 */
export function endedLink(error: unknown, about: string): boolean {
  const cause = MessagingError.is(error) ? error.cause : error
  return (replyCodeOf(cause) ?? 0) >= 500 && messageOf(cause).includes(about)
}

/** True when the broker ended the link because it makes no queues that are neither durable nor exclusive. */
export function isTransientRefusal(error: unknown): boolean {
  const cause = MessagingError.is(error) ? error.cause : error
  return (
    replyCodeOf(cause) === reply.internalError && /transient_nonexcl_queues/.test(messageOf(cause))
  )
}

/** What a declaration of such a queue gets; asking again would end the link for everyone on it. */
export function transientQueueError(queue: string, cause?: unknown): MessagingError {
  return new MessagingError(
    'MESSAGING_DECLARATION_REFUSED',
    'channel',
    `declaring queue '${queue}': this broker makes no queues that are neither durable nor exclusive (RabbitMQ 4.3 and later); make it durable, with expiresMs if it is to go by itself, or exclusive, or allow deprecated_features.permit.transient_nonexcl_queues in the broker's configuration`,
    { cause },
  )
}

/** The exchange a publish named that is not there, when that is what ended a channel. */
export function missingExchange(error: unknown): string | undefined {
  if (replyCodeOf(error) !== reply.notFound) return undefined
  return /no exchange '(.*)' in vhost/.exec(messageOf(error))?.[1]
}

/**
 * Which publications made the broker end a channel, where its words tell them apart: these are refused, and
 * everything else that was under way can be sent again. Undefined when nothing is known.
 */
export function blame(
  error: unknown,
): ((publication: Publication) => MessagingError | undefined) | undefined {
  const text = messageOf(MessagingError.is(error) ? (error.cause ?? error) : error)
  const refuse =
    (isIt: (publication: Publication) => boolean, make: (one: Publication) => MessagingError) =>
    (one: Publication): MessagingError | undefined =>
      isIt(one) ? make(one) : undefined
  const limit = messageLimit(error)
  if (limit !== undefined) {
    return refuse(
      ({ message }) => message.body.length > limit,
      ({ message }) => tooLarge(message.body.length, limit),
    )
  }
  const refused = (): MessagingError =>
    new MessagingError('MESSAGING_PUBLISH_REFUSED', 'message', text, { cause: error })
  const user = /user_id property set to '(.*)' but authenticated user was/.exec(text)?.[1]
  if (user !== undefined)
    return refuse(({ message }) => message.properties.userId === user, refused)
  const exchange = /(?:access to|internal) exchange '(.*)' in vhost/.exec(text)?.[1]
  if (exchange !== undefined) return refuse((one) => one.exchange === exchange, refused)
  return undefined
}

/** The broker's greatest size of a body, when it ended a channel over one that was larger. */
export function messageLimit(error: unknown): number | undefined {
  const text = messageOf(MessagingError.is(error) ? (error.cause ?? error) : error)
  const found = /message size \d+ (?:is )?larger than (?:configured )?max size (\d+)/.exec(text)
  return found ? Number(found[1]) : undefined
}

/** A body the broker will not take. */
export function tooLarge(bytes: number, limit: number): MessagingError {
  return new MessagingError(
    'MESSAGING_TOO_LARGE',
    'message',
    `the body has ${bytes} bytes, and this broker takes at most ${limit} (its setting max_message_size); compress it, or send where it is kept`,
  )
}

/** Headers and properties that do not fit into one frame, as AMQP wants them. */
export function headersTooLarge(limit: number): MessagingError {
  return new MessagingError(
    'MESSAGING_TOO_LARGE',
    'message',
    `the headers of this message are longer than the frame of ${limit} bytes that this link has (frame_max); put large values into the body`,
  )
}

/** All channels of a link are in use. */
export function channelsExhausted(most: number, cause: unknown): MessagingError {
  return new MessagingError(
    'MESSAGING_POOL_EXHAUSTED',
    'channel',
    `all ${most} channels of this link are in use; close what is not needed, or raise channelMax here and channel_max at the broker`,
    { cause },
  )
}

/** A message that could not be written as AMQP frames. */
export function encodeError(error: unknown): MessagingError {
  if (MessagingError.is(error)) return error
  const text = messageOf(error)
  if (error instanceof RangeError && /encoding buffer/.test(text)) {
    return new MessagingError(
      'MESSAGING_TOO_LARGE',
      'message',
      'the headers of this message are longer than the 64 KiB that fit; put large values into the body',
      { cause: error },
    )
  }
  return new MessagingError(
    'MESSAGING_ENCODE_FAILED',
    'message',
    `this message cannot be written as AMQP: ${text}`,
    { cause: error },
  )
}
