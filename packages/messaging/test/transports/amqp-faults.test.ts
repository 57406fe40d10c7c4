import { describe, expect, it } from '@jest/globals'
import { message } from '../../src/message/message.ts'
import {
  blame,
  channelError,
  connectError,
  encodeError,
  endedLink,
  isTransientRefusal,
  linkError,
  messageLimit,
  missingExchange,
} from '../../src/transports/amqp/faults.ts'

const coded = (code: number | string, text: string): Error =>
  Object.assign(new Error(text), { code })

describe('errors of amqplib', () => {
  for (const [error, code, fault] of [
    [
      new Error('Handshake terminated by server: 403 (ACCESS_REFUSED) with message "x"'),
      'MESSAGING_AUTHENTICATION_FAILED',
      'fatal',
    ],
    [
      new Error('Expected ConnectionOpenOk; got <ConnectionClose channel:0>'),
      'MESSAGING_CONNECT_FAILED',
      'fatal',
    ],
    [
      new Error('SASL mechanism EXTERNAL is not provided by the server'),
      'MESSAGING_AUTHENTICATION_FAILED',
      'fatal',
    ],
    [coded('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed'), 'MESSAGING_CONNECT_FAILED', 'fatal'],
    [coded('ECONNREFUSED', ''), 'MESSAGING_CONNECT_FAILED', 'connection'],
    [
      new Error('Socket closed abruptly during opening handshake'),
      'MESSAGING_CONNECT_FAILED',
      'connection',
    ],
  ] as const) {
    it(`while connecting: ${error.message || error.name} is ${code}, ${fault}`, () => {
      expect(connectError(error, 'amqp://u:**@h')).toMatchObject({ code, fault, cause: error })
    })
  }

  it('say what was asked for when the broker refused it', () => {
    const refused = coded(406, 'PRECONDITION_FAILED - inequivalent arg')

    expect(channelError(refused, "declaring queue 'q'")).toMatchObject({
      code: 'MESSAGING_DECLARATION_REFUSED',
      fault: 'channel',
      message: "declaring queue 'q': PRECONDITION_FAILED - inequivalent arg",
    })
    expect(channelError(refused).code).toBe('MESSAGING_CHANNEL_CLOSED')
    expect(channelError(coded(404, "NOT_FOUND - no queue 'q' in vhost '/'"), 'x').code).toBe(
      'MESSAGING_QUEUE_NOT_FOUND',
    )
  })

  it('name the exchange that a publish missed', () => {
    const error = coded(404, `Channel closed: "NOT_FOUND - no exchange 'a'b' in vhost '/'"`)

    expect(missingExchange(error)).toBe("a'b")
    expect(channelError(error).code).toBe('MESSAGING_PUBLISH_REFUSED')
    expect(missingExchange(coded(406, 'other'))).toBeUndefined()
  })

  it('keep a typed error as it is', () => {
    const error = linkError(new Error('Heartbeat timeout'), 'amqp://h')

    expect(error).toMatchObject({ code: 'MESSAGING_CONNECTION_LOST', fault: 'connection' })
    expect(channelError(error)).toBe(error)
    expect(encodeError(error)).toBe(error)
  })

  it('tell a message that is too large from one that makes no sense', () => {
    const large = new RangeError('Encoded field table exceeds the 65536 byte encoding buffer')

    expect(encodeError(large)).toMatchObject({ code: 'MESSAGING_TOO_LARGE', fault: 'message' })
    expect(encodeError(new TypeError('x')).code).toBe('MESSAGING_ENCODE_FAILED')
  })
})

describe('what ended a channel or a link', () => {
  const to = (exchange: string, body = 'x', userId = 'me') => ({
    exchange,
    routingKey: 'k',
    message: message(body, { userId }),
  })
  const guilty = (text: string, ...batch: ReturnType<typeof to>[]) => {
    const find = blame(channelError(coded(406, text)))
    return batch.map((one) => find?.(one)?.code)
  }

  it.each([
    'PRECONDITION_FAILED - message size 9 is larger than configured max size 5',
    'PRECONDITION_FAILED - message size 9 larger than max size 5',
  ])('is the message that is too large: %s', (text) => {
    expect(guilty(text, to('a', '12345'), to('a', '123456'))).toEqual([
      undefined,
      'MESSAGING_TOO_LARGE',
    ])
    expect(messageLimit(coded(406, text))).toBe(5)
  })

  it('is the message of another user, or to an exchange one may not write to', () => {
    expect(
      guilty(
        "user_id property set to 'you' but authenticated user was 'me'",
        to('a', 'x', 'me'),
        to('a', 'x', 'you'),
      ),
    ).toEqual([undefined, 'MESSAGING_PUBLISH_REFUSED'])
    for (const text of [
      "ACCESS_REFUSED - access to exchange 'b' in vhost '/' refused for user 'me'",
      "ACCESS_REFUSED - cannot publish to internal exchange 'b' in vhost '/'",
    ])
      expect(guilty(text, to('a'), to('b'))).toEqual([undefined, 'MESSAGING_PUBLISH_REFUSED'])
  })

  it('is nobody’s fault when the broker does not say', () => {
    expect(blame(coded(320, 'CONNECTION_FORCED'))).toBeUndefined()
    expect(messageLimit(new Error('x'))).toBeUndefined()
  })

  it('is known of a request the whole link was ended for', () => {
    const text = "COMMAND_INVALID - unknown exchange type 'x-mine'"
    const lost = linkError(coded(503, text), 'amqp://h')

    expect(endedLink(lost, "exchange type 'x-mine'")).toBe(true)
    expect(endedLink(lost, "exchange type 'x-other'")).toBe(false)
    expect(endedLink(linkError(new Error(text), 'amqp://h'), 'x-mine')).toBe(false)
    const transient = 'INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.'
    expect(isTransientRefusal(linkError(coded(541, transient), 'amqp://h'))).toBe(true)
    expect(isTransientRefusal(linkError(coded(541, 'INTERNAL_ERROR'), 'amqp://h'))).toBe(false)
  })
})
