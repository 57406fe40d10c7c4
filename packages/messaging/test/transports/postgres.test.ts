import { describe, expect, it } from '@jest/globals'
import { loadPostgres, postgresError } from '../../src/clients/postgres.ts'
import { MessagingError } from '../../src/kernel/errors.ts'
import { channelOf } from '../../src/transports/postgres/notices.ts'
import { tablesIn } from '../../src/transports/postgres/schema.ts'
import { statementsFor } from '../../src/transports/postgres/statements.ts'

describe('the driver of PostgreSQL', () => {
  it('is named with its command when it is missing', async () => {
    const missing = (): Promise<never> => Promise.reject(new Error("Cannot find package 'pg'"))

    await expect(loadPostgres(missing)).rejects.toMatchObject({
      code: 'MESSAGING_DRIVER_MISSING',
      fault: 'fatal',
      message: expect.stringContaining('npm install pg@'),
    })
  })

  it('is found in whichever way it is exported', async () => {
    const Client = class {}

    expect(await loadPostgres(() => Promise.resolve({ default: { Client } }))).toEqual({ Client })
    expect(await loadPostgres(() => Promise.resolve({ Client }))).toEqual({ Client })
  })
})

describe('an error of PostgreSQL', () => {
  const of = (code: string | undefined, message = 'words') =>
    Object.assign(new Error(message), code === undefined ? {} : { code })

  for (const [state, code, fault] of [
    ['28P01', 'MESSAGING_AUTHENTICATION_FAILED', 'fatal'],
    ['28000', 'MESSAGING_AUTHENTICATION_FAILED', 'fatal'],
    ['3D000', 'MESSAGING_CONNECT_FAILED', 'fatal'],
    ['42501', 'MESSAGING_STORE_FAILED', 'fatal'],
    ['53100', 'MESSAGING_PUBLISH_REFUSED', 'message'],
    ['54000', 'MESSAGING_PUBLISH_REFUSED', 'message'],
    ['22021', 'MESSAGING_PUBLISH_REFUSED', 'message'],
    ['42P01', 'MESSAGING_STORE_FAILED', 'connection'],
    ['25006', 'MESSAGING_STORE_FAILED', 'connection'],
    ['57P01', 'MESSAGING_CONNECTION_LOST', 'connection'],
    ['53300', 'MESSAGING_CONNECTION_LOST', 'connection'],
    ['08006', 'MESSAGING_CONNECTION_LOST', 'connection'],
    ['ECONNRESET', 'MESSAGING_CONNECTION_LOST', 'connection'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'MESSAGING_CONNECT_FAILED', 'fatal'],
    [undefined, 'MESSAGING_CONNECTION_LOST', 'connection'],
  ] as const) {
    it(`with ${state ?? 'no code'} is ${code}, ${fault}`, () => {
      expect(postgresError(of(state), 'asking')).toMatchObject({ code, fault })
    })
  }

  it('while connecting says so', () => {
    const code = 'MESSAGING_CONNECT_FAILED'
    expect(postgresError(of('ECONNREFUSED'), 'x', true)).toMatchObject({
      code,
      fault: 'connection',
    })
    expect(postgresError(of('57P03'), 'x', true)).toMatchObject({ code, fault: 'connection' })
  })

  it('of a URL without the password the server wants is one of logging in', () => {
    const text = 'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'
    expect(postgresError(of(undefined, text), 'x', true)).toMatchObject({
      code: 'MESSAGING_AUTHENTICATION_FAILED',
    })
  })

  it('that is typed already stays as it is', () => {
    const error = new MessagingError('MESSAGING_TIMEOUT', 'message', 'late')
    expect(postgresError(error, 'x')).toBe(error)
  })
})

describe('names on PostgreSQL', () => {
  it('are quoted, so that a schema may have any', () => {
    expect(tablesIn('a"b').messages).toBe('"a""b".celeriac_messages')
    for (const wrong of ['', 7, undefined, 'x'.repeat(64), 'ä'.repeat(32)])
      expect(() => tablesIn(wrong)).toThrow(/schema/)
  })

  it('of channels are short, and of one queue in one schema', () => {
    const channel = channelOf('"public"', 'q'.repeat(5000))
    expect(channel).toMatch(/^celeriac_[0-9a-f]{40}$/)
    expect(channelOf('"other"', 'q')).not.toBe(channelOf('"public"', 'q'))
    expect(channelOf('a', 'bc')).not.toBe(channelOf('ab', 'c'))
  })

  it('of statements are unique and short enough', () => {
    const names = Object.values(statementsFor(tablesIn('public'))).map(({ name }) => name!)
    expect(new Set(names).size).toBe(names.length)
    expect(names.every((name) => name.length < 63)).toBe(true)
  })
})
