import { describe, expect, it } from '@jest/globals'
import { censor, found, isSecret, maskUrls } from '../../src/config/censor.ts'

describe('censoring', () => {
  it.each<[string, boolean]>([
    ['brokerPassword', true],
    ['redisPassword', true],
    ['s3SecretAccessKey', true],
    ['securityKey', true],
    ['databaseUrl', true],
    ['apiToken', true],
    ['api_key', true],
    ['taskDefaultRoutingKey', false],
    ['globalKeyprefix', false],
    ['brokerUrl', false],
  ])('%s secret: %s', (name, secret) => {
    expect(isSecret(name)).toBe(secret)
  })

  it.each<[string, string]>([
    ['redis://:pw@host:1/0', 'redis://:********@host:1/0'],
    ['amqp://u:p%40@a//;amqp://u:q@b//', 'amqp://u:********@a//;amqp://u:********@b//'],
    ['amqp://host:5672/u@x', 'amqp://host:5672/u@x'],
    ['sentinel at redis+tls://u:pw@h failed', 'sentinel at redis+tls://u:********@h failed'],
    ['no url: a@b', 'no url: a@b'],
  ])('masks %s', (text, masked) => {
    expect(maskUrls(text)).toBe(masked)
  })

  it('goes into lists and mappings', () => {
    expect(
      censor({ a: ['redis://:x@h'], password: 'y', none: { token: undefined, n: 1 } }),
    ).toEqual({
      a: ['redis://:********@h'],
      password: '********',
      none: { token: undefined, n: 1 },
    })
  })

  it('describes values shortly', () => {
    expect(found('x'.repeat(100))).toHaveLength(71)
    expect([
      found(1),
      found(null),
      found([1]),
      found({}),
      found(() => 1),
      found(undefined),
    ]).toEqual(['1', 'null', 'a list of 1', 'a mapping', 'a function', 'undefined'])
  })
})
