import { describe, expect, it } from '@jest/globals'
import { message, type Headers } from '../../src/message/message.ts'
import {
  fromTable,
  headerSize,
  toMessage,
  toOptions,
  toTable,
} from '../../src/transports/amqp/values.ts'

describe('header tables', () => {
  it('are not copied when AMQP has a form for everything in them', () => {
    const headers = { text: 'x', list: [null, 1], map: { deep: [{}] }, bytes: Buffer.from('b') }

    expect(toTable(headers)).toBe(headers)
    expect(fromTable(headers)).toBe(headers)
  })

  it('leave what they are made of untouched', () => {
    const when = new Date(5000)
    const headers = Object.freeze({ when, list: Object.freeze([when, 1]) }) as Headers

    expect(toTable(headers)).toEqual({
      when: { '!': 'timestamp', value: 5 },
      list: [{ '!': 'timestamp', value: 5 }, 1],
    })
  })

  it('read the times and decimals of others', () => {
    const table = {
      time: { '!': 'timestamp', value: 5 },
      price: { '!': 'decimal', value: { digits: 1250, places: 2 } },
    }

    expect(fromTable(table)).toEqual({ time: new Date(5000), price: 12.5 })
  })

  for (const [name, value] of [
    ['a number that is none', Number.NaN],
    ['an infinite number', Infinity],
    ['an integer of more than 64 bits', 2n ** 63n],
    ['a negative integer of more than 64 bits', -(2n ** 63n) - 1n],
    ['an invalid date', new Date(Number.NaN)],
    ['a date before 1970', new Date(-1)],
    ['a function', (() => undefined) as never],
  ] as const) {
    it(`refuse ${name}, by its name`, () => {
      for (const headers of [{ bad: value }, { map: { bad: value } }])
        expect(() => toTable(headers)).toThrow(/'bad'/)
      expect(() => toTable({ bad: [value] })).toThrow(
        expect.objectContaining({ code: 'MESSAGING_ENCODE_FAILED', fault: 'message' }),
      )
    })
  }
})

describe('properties', () => {
  it('become options, with times in AMQP’s units', () => {
    const sent = message('x', {
      expirationMs: 1500.4,
      timestamp: 7.9,
      priority: 3,
      extra: { a: 1 },
    })

    expect(toOptions(sent, true)).toEqual({
      headers: {},
      deliveryMode: 2,
      mandatory: true,
      expiration: '1500',
      timestamp: 7,
      priority: 3,
    })
  })

  it('come back without those that were not sent', () => {
    const properties = { contentType: 'text/plain', expiration: '20', headers: undefined }

    const back = toMessage({
      content: Buffer.from('x'),
      properties: properties as Parameters<typeof toMessage>[0]['properties'],
    })

    expect(back.properties).toEqual({ contentType: 'text/plain', expirationMs: 20 })
    expect(back.headers).toEqual({})
  })
})

describe('the size of headers', () => {
  it('is never told too small', () => {
    const headers = {
      text: 'ü'.repeat(100),
      number: 1,
      big: 2n ** 40n,
      fraction: 0.5,
      none: null,
      flag: true,
      bytes: Buffer.alloc(50),
      list: [1, 'a', [{ b: 'c' }]],
      when: new Date(0),
      table: { a: { b: { c: 'd'.repeat(30) } } },
    }
    const sent = message('x', { correlationId: 'c'.repeat(200), appId: 'a', priority: 1 }, headers)
    const options = toOptions(sent, false)
    const size = headerSize(options)
    // What stands in the frame besides: names, texts and numbers at their least.
    const least = 100 * 2 + 50 + 30 + 200 + Object.keys(headers).join('').length

    expect(size).toBeGreaterThan(least)
    expect(size).toBeLessThan(least + 400)
  })
})
