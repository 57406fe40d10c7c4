import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import { MessagingError } from '../../src/kernel/errors.ts'
import type { Channel } from '../../src/transport/channel.ts'

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})
function connect(): Connection {
  const connection = new Connection('memory://user:secret@ensure/path')
  open.push(connection)
  return connection
}
const lost = new MessagingError('MESSAGING_CONNECTION_LOST', 'connection', 'the cable was pulled')

describe('ensure', () => {
  it('does the work again on a new channel, until it is done', async () => {
    const channels = new Set<unknown>()
    const retried: number[] = []

    const answer = await connect().ensure(
      (channel) => {
        channels.add(channel)
        return channels.size < 3 ? Promise.reject(lost) : Promise.resolve('done')
      },
      { onRetry: (_, attempt) => retried.push(attempt) },
    )

    expect([answer, channels.size, retried]).toEqual(['done', 3, [1, 2]])
  })

  it('gives up after its retries or its time, with the last fault', async () => {
    await expect(connect().ensure(() => Promise.reject(lost), { retries: 1 })).rejects.toBe(lost)
    await expect(
      connect().ensure(() => Promise.reject(lost), { timeout: 0.1 }),
    ).rejects.toMatchObject({
      code: 'MESSAGING_TIMEOUT',
      message: expect.stringContaining('the cable was pulled'),
    })
    await expect(
      connect().ensure(() => new Promise(() => undefined), { timeout: 0.05 }),
    ).rejects.toMatchObject({ code: 'MESSAGING_TIMEOUT' })
  })

  it('waits for no channel that does not close, once its time is over', async () => {
    const connection = connect()
    let closeNow!: () => void
    const closing = new Promise<void>((resolve) => (closeNow = resolve))
    const endless = (channel: Channel) => {
      channel.close = () => closing
      return new Promise(() => undefined)
    }
    await expect(connection.ensure(endless, { timeout: 0.05 })).rejects.toMatchObject({
      code: 'MESSAGING_TIMEOUT',
    })
    const signal = AbortSignal.timeout(50)
    await expect(connection.ensure(endless, { signal })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
    closeNow()
  })

  it('does not repeat what trying again cannot mend', async () => {
    let tries = 0
    const fail = (error: Error) =>
      connect().ensure(() => {
        tries++
        return Promise.reject(error)
      })

    await expect(fail(new Error('mine'))).rejects.toThrow('mine')
    await expect(
      fail(new MessagingError('MESSAGING_DECLARATION_REFUSED', 'channel', 'no')),
    ).rejects.toThrow('no')
    await expect(
      fail(new MessagingError('MESSAGING_TOO_LARGE', 'message', 'too long')),
    ).rejects.toThrow('too long')
    expect(tries).toBe(3)
  })

  it('stops when it is told to', async () => {
    const stop = new AbortController()
    const work = connect().ensure(() => Promise.reject(lost), { signal: stop.signal })
    stop.abort(new Error('enough'))

    await expect(work).rejects.toThrow('enough')
  })
})

describe('info', () => {
  it('says what the connection is, without its password', async () => {
    const connection = connect()
    expect(connection.info()).toMatchObject({
      transport: 'memory',
      hostname: 'ensure',
      virtualHost: 'path',
      userid: 'user',
      urls: ['memory://user:**@ensure/path'],
      state: 'idle',
    })
    await connection.connect()

    expect(connection.info()).toMatchObject({ state: 'connected', server: 'memory' })
    expect(JSON.stringify(connection.info())).not.toContain('secret')
  })
})
