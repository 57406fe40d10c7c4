import { describe, expect, it } from '@jest/globals'
import {
  channelError,
  connectError,
  encodeError,
  linkError,
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
