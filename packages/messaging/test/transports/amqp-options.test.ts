import { describe, expect, it } from '@jest/globals'
import type { Target } from '../../src/transport/transport.ts'
import { answerMs, ladderOptions, login, numbers } from '../../src/transports/amqp/options.ts'

const target = (options: Record<string, unknown>): Target => ({
  url: 'amqp://h',
  scheme: 'amqp',
  host: 'h',
  port: undefined,
  username: undefined,
  password: undefined,
  path: '',
  options,
  masked: 'amqp://h',
})
const refused = { code: 'MESSAGING_OPTION_INVALID', fault: 'fatal' }
const failure = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return error
  }
}

describe('options of the AMQP transport', () => {
  it('have defaults', () => {
    expect(answerMs(target({}))).toBe(20_000)
    expect(ladderOptions(target({}))).toEqual({ queueType: 'quorum', prefix: '' })
    expect(numbers(target({}), ['frameMax'])).toEqual({})
    expect(login(target({})).mechanism).toBe('PLAIN')
  })

  it('are taken as they are given', () => {
    expect(answerMs(target({ readTimeout: 0.5 }))).toBe(500)
    expect(ladderOptions(target({ delayQueueType: 'classic', delayPrefix: 'p' }))).toEqual({
      queueType: 'classic',
      prefix: 'p',
    })
    expect(numbers(target({ frameMax: 4096, channelMax: 0 }), ['frameMax', 'channelMax'])).toEqual({
      frameMax: 4096,
      channelMax: 0,
    })
    expect(login(target({ loginMethod: 'EXTERNAL' })).mechanism).toBe('EXTERNAL')
  })

  it.each([
    ['readTimeout', 0, (one: Target) => answerMs(one)],
    ['readTimeout', 'long', (one: Target) => answerMs(one)],
    ['delayQueueType', 'stream', (one: Target) => ladderOptions(one)],
    ['delayPrefix', 1, (one: Target) => ladderOptions(one)],
    ['frameMax', 1.5, (one: Target) => numbers(one, ['frameMax'])],
    ['loginMethod', 'KERBEROS', (one: Target) => login(one)],
  ] as const)('refuse %s %j', (name, value, read) => {
    const error = failure(() => read(target({ [name]: value })))

    expect(error).toMatchObject(refused)
    expect((error as Error).message).toContain(name)
  })
})
