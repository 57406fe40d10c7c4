import { describe, expect, it } from '@jest/globals'
import { connectionClose, FrameReader, methodFrame } from '../../src/testing/amqp-frames.ts'

const header = Buffer.from('AMQP\0\0\x09\x01', 'latin1')
const declare = methodFrame(3, '50.10', Buffer.from('args'))
const heartbeat = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce])

describe('frames of AMQP', () => {
  it.each([1, 3, 7, 1000])('are found in a stream that comes in pieces of %d bytes', (size) => {
    const stream = Buffer.concat([header, declare, heartbeat, declare])
    const reader = new FrameReader('to-server')
    const frames = []

    for (let at = 0; at < stream.length; at += size)
      frames.push(...reader.read(stream.subarray(at, at + size)))

    expect(frames.map(({ type, channel, method }) => [type, channel, method])).toEqual([
      [0, 0, undefined],
      [1, 3, '50.10'],
      [8, 0, undefined],
      [1, 3, '50.10'],
    ])
    expect(Buffer.concat(frames.map(({ bytes }) => bytes))).toEqual(stream)
  })

  it('of a server begin without the header of the protocol, unless it refuses ours', () => {
    expect([...new FrameReader('to-client').read(declare)]).toHaveLength(1)
    expect([...new FrameReader('to-client').read(header)]).toMatchObject([{ type: 0 }])
  })

  it('say why a connection is closed, in at most 255 bytes', () => {
    const [frame] = new FrameReader('to-client').read(
      connectionClose(541, 'é'.repeat(200), '50.10'),
    )

    expect(frame!.method).toBe('10.50')
    expect(frame!.bytes.readUInt16BE(11)).toBe(541)
    expect(frame!.bytes[13]).toBe(255)
    expect(frame!.bytes.readUInt16BE(13 + 1 + 255)).toBe(50)
  })
})
