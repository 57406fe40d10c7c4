import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { decodeEnvelope, encodeEnvelope, markRedelivered } from '../../src/virtual/envelope.ts'

const folder = new URL('../../../../vectors/', import.meta.url)

interface Captured {
  readonly messages?: readonly { readonly raw: string; readonly body_b64?: string }[]
}

/** Every text Kombu put into a Redis list. */
const texts = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .flatMap((name) => {
    const { messages = [] } = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Captured
    return messages
      .filter(({ raw }) => typeof raw === 'string' && raw.includes('"delivery_tag"'))
      .map(({ raw, body_b64: body }, i) => [`${name}[${i}]`, raw, body] as const)
  })

describe('the envelope', () => {
  it('was captured often enough to prove something', () => {
    expect(texts.length).toBeGreaterThan(100)
  })

  it.each(texts)('of %s is read, and written with the same fields', (_name, raw, body) => {
    const { message, exchange, routingKey, deliveryTag } = decodeEnvelope(raw)
    const bytes = Buffer.from(message.body).toString('base64')
    expect(bytes).toBe(body ?? bytes)
    const ours = JSON.parse(encodeEnvelope(message, exchange, routingKey, deliveryTag)) as Record<
      string,
      unknown
    >
    const theirs = JSON.parse(raw) as { properties: Record<string, unknown>; body: string }
    // What a message went through on the broker is not written again.
    const { redelivered: _redelivered, ...info } = theirs.properties['delivery_info'] as Record<
      string,
      unknown
    >
    const properties = { ...theirs.properties, delivery_info: info }
    if (theirs.properties['body_encoding'] !== 'base64') {
      theirs.body = Buffer.from(theirs.body).toString('base64')
      Object.assign(properties, { body_encoding: 'base64' })
    }

    expect(ours).toEqual({ ...theirs, properties })
    expect(Object.keys(ours)).toEqual(Object.keys(theirs))
  })
})

describe('markRedelivered', () => {
  const text = encodeEnvelope(
    { body: Buffer.from('x'), headers: { a: 1 }, properties: { priority: 3 } },
    'ex',
    'key',
    'tag-1',
  )

  it('marks headers and delivery info, and keeps the tag last', () => {
    const marked = markRedelivered(text, false)

    expect(JSON.parse(marked)).toMatchObject({
      headers: { a: 1, redelivered: true },
      properties: { delivery_info: { exchange: 'ex', redelivered: true }, delivery_tag: 'tag-1' },
    })
    expect(marked).toMatch(/"delivery_tag":"tag-1"}}$/)
    expect(decodeEnvelope(marked)).toMatchObject({ redelivered: true, attempts: 0 })
  })

  it('counts attempts', () => {
    const twice = markRedelivered(markRedelivered(text, true), true)
    expect(decodeEnvelope(twice).attempts).toBe(2)
  })
})

describe('a text that is no envelope', () => {
  it.each([
    ['not json'],
    ['[]'],
    ['null'],
    ['{"body": "x"}'],
    ['{"body": 1, "properties": {"delivery_tag": "t"}}'],
  ])('is refused: %s', (text) => {
    expect(() => decodeEnvelope(text)).toThrow(Error)
  })
})
