/** The AMQP transport's own options: their names, and what they become. */
import { credentials } from 'amqplib/callback_api'
import { MessagingError } from '../../kernel/errors.ts'
import type { Target } from '../../transport/transport.ts'
import type { DelayLadderOptions } from './delay-ladder.ts'

/** Names of the transport's options, beside those of TLS. */
export const ownOptions = [
  'loginMethod',
  'frameMax',
  'channelMax',
  'keepAlive',
  'noDelay',
  'clientProperties',
  'delayQueueType',
  'delayPrefix',
  'readTimeout',
  // Kombu's, which mean nothing here: confirms are always on, and each operation has a deadline.
  'confirmPublish',
  'writeTimeout',
  'maxRetries',
  'intervalStart',
  'intervalStep',
  'intervalMax',
]

/** How to log in. Throws `MESSAGING_OPTION_INVALID`. */
export function login(
  target: Target,
): ReturnType<typeof credentials.plain | typeof credentials.external> {
  const { username = 'guest', password = 'guest', options } = target
  const { loginMethod = 'PLAIN' } = options
  switch (loginMethod) {
    case 'PLAIN':
      return credentials.plain(username, password)
    case 'AMQPLAIN':
      return credentials.amqplain(username, password)
    case 'EXTERNAL':
      return credentials.external()
    default:
      throw invalid('loginMethod', 'PLAIN, AMQPLAIN or EXTERNAL', loginMethod)
  }
}

/** Options that are whole numbers; throws `MESSAGING_OPTION_INVALID` for others. */
export function numbers({ options }: Target, names: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {}
  for (const name of names) {
    const value = options[name]
    if (value === undefined) continue
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
      throw invalid(name, 'a whole number', value)
    found[name] = value
  }
  return found
}

/** Milliseconds the broker may take to answer a request. Throws `MESSAGING_OPTION_INVALID`. */
export function answerMs({ options }: Target): number {
  const seconds = options['readTimeout'] ?? 20
  if (typeof seconds === 'number' && seconds > 0) return seconds * 1000
  throw invalid('readTimeout', 'a number of seconds greater than 0', seconds)
}

/** The ladder for delayed messages. Throws `MESSAGING_OPTION_INVALID`. */
export function ladderOptions({ options }: Target): DelayLadderOptions {
  const { delayQueueType: queueType = 'quorum', delayPrefix: prefix = '' } = options
  if (queueType !== 'quorum' && queueType !== 'classic')
    throw invalid('delayQueueType', 'quorum or classic', queueType)
  if (typeof prefix !== 'string') throw invalid('delayPrefix', 'a text', prefix)
  return { queueType, prefix }
}

function invalid(name: string, wanted: string, found: unknown): MessagingError {
  return new MessagingError(
    'MESSAGING_OPTION_INVALID',
    'fatal',
    `the AMQP transport option ${name} must be ${wanted}, found ${JSON.stringify(found)}`,
  )
}
