import { describe, expect, it } from '@jest/globals'
import { loadMongo, mongoError } from '../../src/clients/mongodb.ts'
import { parseUrl } from '../../src/connection/url.ts'
import { choose } from '../../src/transports/mongodb/choose.ts'
import { readSettings, storedPriority } from '../../src/transports/mongodb/schema.ts'
import { kombuPattern } from '../../src/virtual/kombu-pattern.ts'

function fail(name: string, message: string, code?: number): Error {
  return Object.assign(new Error(message), { name, ...(code !== undefined && { code }) })
}

describe('the driver of MongoDB', () => {
  it('says what to install when it is missing', async () => {
    const missing = loadMongo(() => Promise.reject(new Error("Cannot find package 'mongodb'")))

    await expect(missing).rejects.toMatchObject({
      code: 'MESSAGING_DRIVER_MISSING',
      fault: 'fatal',
      message: expect.stringContaining('npm install mongodb@') as unknown as string,
    })
  })

  it.each([
    ['MongoServerError', 18, true, 'MESSAGING_AUTHENTICATION_FAILED', 'fatal'],
    ['MongoServerError', 13, false, 'MESSAGING_AUTHENTICATION_FAILED', 'fatal'],
    ['MongoServerError', 10_107, false, 'MESSAGING_CONNECTION_LOST', 'connection'],
    ['MongoServerError', 14_031, false, 'MESSAGING_PUBLISH_REFUSED', 'message'],
    ['MongoServerError', 10_334, false, 'MESSAGING_TOO_LARGE', 'message'],
    ['MongoServerError', 2, false, 'MESSAGING_STORE_FAILED', 'connection'],
    ['MongoNetworkError', undefined, false, 'MESSAGING_CONNECTION_LOST', 'connection'],
    ['MongoServerSelectionError', undefined, true, 'MESSAGING_CONNECT_FAILED', 'connection'],
    ['MongoParseError', undefined, true, 'MESSAGING_URL_INVALID', 'fatal'],
    ['MongoInvalidArgumentError', undefined, true, 'MESSAGING_OPTION_INVALID', 'fatal'],
  ])('makes of %s (%s, connecting: %s) %s, %s', (name, code, connecting, expected, fault) => {
    const error = mongoError(
      fail(name, 'at p%40ss, p@ss', code),
      'work',
      { password: 'p@ss' },
      connecting,
    )

    expect(error).toMatchObject({ code: expected, fault })
    expect(error.message).toContain('at **, **')
  })
})

describe('URLs of MongoDB', () => {
  it('may name several members', () => {
    const target = parseUrl('mongodb://u:p%40@a:1,b:2,c/db?replicaSet=rs', ['mongodb'])

    expect(target).toMatchObject({
      url: 'mongodb://u:p%40@a:1,b:2,c/db',
      host: 'a',
      port: 1,
      username: 'u',
      password: 'p@',
      path: 'db',
      options: { replicaSet: 'rs' },
      masked: 'mongodb://u:**@a:1,b:2,c/db?replicaSet=rs',
    })
    expect(parseUrl('mongodb://a,b', ['mongodb']).url).toBe('mongodb://a,b')
    expect(() => parseUrl('redis://a:1,b:2/0', ['redis'])).toThrow(/cannot be used/)
  })
})

describe('settings of the MongoDB transport', () => {
  it('have the names and defaults of Kombu', () => {
    const { names, ...rest } = readSettings({ options: {} })

    expect(names).toMatchObject({
      messages: 'messages',
      routing: 'messages.routing',
      broadcast: 'messages.broadcast',
      queues: 'messages.queues',
    })
    expect(rest).toEqual({
      defaultDatabase: 'kombu_default',
      ttl: false,
      cappedQueueSize: 100_000,
      calcQueueSize: true,
      pollMs: 1000,
    })
  })

  it('follow the name of the messages, and refuse what cannot be meant', () => {
    const { names } = readSettings({ options: { messagesCollection: 'jobs' } })
    expect(names).toMatchObject({ messages: 'jobs', sessions: 'jobs.sessions' })
    for (const options of [
      { ttl: 'yes' },
      { cappedQueueSize: 0 },
      { queuesCollection: '' },
      { w: '0' },
    ])
      expect(() => readSettings({ options })).toThrow(
        expect.objectContaining({
          code: 'MESSAGING_OPTION_INVALID',
          fault: 'fatal',
        }) as unknown as Error,
      )
  })
})

it('stores priorities as Kombu does, the most urgent lowest', () => {
  expect([undefined, 0, 3, 9, 200, -1, Number.NaN].map(storedPriority)).toEqual([
    9, 9, 6, 0, 0, 9, 9,
  ])
})

it('writes topic keys as Kombu does', () => {
  expect(kombuPattern('a.*.#')).toBe('^a\\..*?[^\\.]\\..*?$')
})

describe('the choice of a claim', () => {
  const at = (...rows: [id: number, priority: number][]) =>
    rows.map(([id, priority]) => ({ id, priority }))

  it('takes urgent ones first, and equal queues in turns', () => {
    expect(choose([at([1, 9], [2, 9], [3, 9]), at([4, 9])], 3)).toEqual([1, 4, 2])
    expect(choose([at([1, 9], [2, 9]), at([3, 4], [4, 4])], 3)).toEqual([3, 4, 1])
    expect(choose([at(), at([1, 9])], 5)).toEqual([1])
    expect(choose([], 5)).toEqual([])
  })
})
