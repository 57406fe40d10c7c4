import { describe, expect, it } from '@jest/globals'
import { options, type OptionName } from '../../src/config/options.ts'
import type { Option } from '../../src/config/option.ts'

const rows = Object.entries(options) as [OptionName, Option][]

describe('the table of settings', () => {
  it.each(rows)('%s: its defaults pass its own parser', (_, row) => {
    expect(row.parser.parse(row.fallback ?? null)).toEqual(row.fallback)
    expect(row.parser.parse(row.celery ?? null)).toEqual(row.celery)
  })

  it.each(rows)('%s: refuses a symbol and says what it expects', (_, row) => {
    expect(row.parser.expected).not.toBe('')
    expect(() => row.parser.parse(Symbol('x'))).toThrow(TypeError)
    expect(row.doc).toMatch(/\.$/)
  })

  it('has the better defaults, and the old ones beside them', () => {
    const different = rows
      .filter(([, row]) => row.fallback !== row.celery)
      .map(([name, row]) => [name, row.fallback, row.celery])

    expect(different).toEqual(
      expect.arrayContaining([
        ['taskAcksLate', true, false],
        ['taskRejectOnWorkerLost', true, false],
        ['taskMaxDeliveries', 5, 0],
        ['brokerHeartbeat', 10, 120],
        ['workerDisablePrefetch', true, false],
      ]),
    )
  })
})

describe('parsers', () => {
  it.each<[OptionName, unknown, unknown]>([
    ['brokerUrl', ['amqp://a', 'amqp://b'], 'amqp://a;amqp://b'],
    ['brokerUrl', null, undefined],
    ['brokerUseSsl', true, true],
    ['brokerUseSsl', { keyfile: 'k' }, { keyfile: 'k' }],
    ['brokerFailoverStrategy', 'shuffle', 'shuffle'],
    ['taskDefaultDeliveryMode', 'transient', 1],
    ['taskDefaultDeliveryMode', 'persistent', 2],
    ['taskDefaultRateLimit', '10/m', '10/m'],
    ['taskDefaultRateLimit', 5, 5],
    ['resultExpires', null, undefined],
    ['resultBackendMaxRetries', Infinity, Infinity],
    ['workerPool', 'prefork', 'processes'],
    ['workerPool', 'gevent', 'async'],
    ['workerPool', 'mine', 'mine'],
    ['timezone', 'Europe/Warsaw', 'Europe/Warsaw'],
    [
      'taskPublishRetryPolicy',
      { max_retries: 5 },
      { maxRetries: 5, intervalStart: 0, intervalStep: 0.2, intervalMax: 1 },
    ],
    [
      'taskQueues',
      { feed: { exchange_type: 'topic', routing_key: 'f.#' } },
      { feed: { exchangeType: 'topic', routingKey: 'f.#' } },
    ],
    ['taskQueues', ['a', { name: 'b', max_priority: 3 }], ['a', { name: 'b', maxPriority: 3 }]],
    ['taskAnnotations', { '*': { rateLimit: 1 } }, { '*': { rateLimit: 1 } }],
  ])('%s reads %j', (name, raw, value) => {
    expect(options[name].parser.parse(raw)).toEqual(value)
  })

  it.each<[OptionName, unknown, RegExp]>([
    ['brokerUrl', '', /a URL, or a list of URLs/],
    ['brokerUrl', ['a', 1], /a URL/],
    ['taskAcksLate', 'true', /true or false/],
    ['taskAcksLate', 1, /true or false/],
    ['workerConcurrency', 0, /a whole number of at least 1, or null|of at least 1/],
    ['workerConcurrency', 2.5, /whole number/],
    ['workerConcurrency', '2', /whole number/],
    ['taskTimeLimit', -1, /seconds, 0 or more/],
    ['taskTimeLimit', Infinity, /seconds/],
    ['taskTimeLimit', NaN, /seconds/],
    ['acceptContent', 'json', /a list, each entry a text/],
    ['acceptContent', ['json', 1], /a text that is not empty at \[1\]/],
    ['taskDefaultRateLimit', '10/d', /'200\/m'/],
    ['taskDefaultExchangeType', 'topci', /one of "direct", "topic", "fanout", "headers"/],
    ['timezone', 'Mars/Base', /a time zone name/],
    ['brokerTransportOptions', new Map(), /a mapping/],
    ['taskQueues', [{ routingKey: 'x' }], /a queue with a name at \[0\]/],
    ['taskQueues', { a: { exchnage: 'x' } }, /known keys of a queue at 'a', not 'exchnage'/],
    ['taskPublishRetryPolicy', { retries: 1 }, /only maxRetries, .*, not 'retries'/],
    ['taskPublishRetryPolicy', { intervalMax: null }, /a number of at least 0 for 'intervalMax'/],
    ['taskAnnotations', { '*': 1 }, /a mapping of task names/],
    ['beatSchedule', { a: { task: 'x' } }, /a schedule at 'a'/],
    ['beatSchedule', { a: { task: 'x', schedule: 1, arg: [] } }, /at 'a', not 'arg'/],
    ['compatibility', 'kombu', /one of "celery"/],
  ])('%s refuses %j', (name, raw, message) => {
    expect(() => options[name].parser.parse(raw)).toThrow(message)
  })

  it.each<[OptionName, string, unknown]>([
    ['taskAcksLate', 'yes', true],
    ['taskAcksLate', 'OFF', false],
    ['workerConcurrency', '8', 8],
    ['workerConcurrency', 'none', undefined],
    ['taskTimeLimit', '2.5', 2.5],
    ['acceptContent', 'json, yaml', ['json', 'yaml']],
    ['acceptContent', '["json"]', ['json']],
    ['brokerTransportOptions', '{"visibilityTimeout": 3}', { visibilityTimeout: 3 }],
    ['brokerUseSsl', 'true', true],
    ['brokerUseSsl', '{"keyfile": "k"}', { keyfile: 'k' }],
    ['brokerUrl', 'redis://a', 'redis://a'],
    ['taskProtocol', '1', 1],
    ['taskDefaultDeliveryMode', '1', 1],
    ['resultBackendMaxRetries', 'inf', Infinity],
    ['taskDefaultRateLimit', '10/m', '10/m'],
    ['taskRoutes', '{"a.*": "feed"}', { 'a.*': 'feed' }],
    ['timezone', '', undefined],
  ])('%s reads the text %j', (name, given, value) => {
    const { parser } = options[name] as Option

    expect(parser.parse(parser.fromText(given))).toEqual(value)
  })

  it.each<[OptionName, string]>([
    ['workerConcurrency', 'many'],
    ['taskAcksLate', 'maybe'],
    ['brokerTransportOptions', '{visibility'],
  ])('%s refuses the text %j', (name, given) => {
    const { parser } = options[name] as Option

    expect(() => parser.parse(parser.fromText(given))).toThrow(TypeError)
  })
})
