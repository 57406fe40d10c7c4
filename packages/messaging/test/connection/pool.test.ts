import { afterEach, describe, expect, it } from '@jest/globals'
import type { Connection } from '../../src/connection/connection.ts'
import { ConnectionPool, Pool, ProducerPool, type PoolOptions } from '../../src/connection/pool.ts'
import { connections, producers } from '../../src/connection/pools.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
  await connections.reset()
  await producers.reset()
})

function pool(options?: PoolOptions): ConnectionPool {
  const made = new ConnectionPool('memory://pooled', {}, options)
  open.push(made)
  return made
}

describe('a pool', () => {
  it('says why nothing can be made, at once', async () => {
    const lent = new ConnectionPool('nonsense://h', {}, { acquireTimeout: 1 })
    open.push(lent)

    await expect(lent.acquire()).rejects.toMatchObject({ code: 'MESSAGING_URL_INVALID' })
    await expect(lent.acquire()).rejects.toMatchObject({ code: 'MESSAGING_URL_INVALID' })
    expect([lent.borrowed, lent.size]).toEqual([0, 0])
  })

  it('is made anew when somebody closed the one they share', async () => {
    const url = 'memory://closed-pool'
    const first = connections.get(url)
    await first.close()

    const second = connections.get(url)

    expect([second === first, second === connections.get(url)]).toEqual([false, true])
    await expect(second.use(async () => 'used')).resolves.toBe('used')
  })

  it('closes what comes back after its end', async () => {
    const lent = pool({ acquireTimeout: 0.02 })
    const one = await lent.acquire()
    await one.connect()
    await lent.close()
    expect(one.state).toBe('connected')

    await lent.release(one)

    expect(one.state).toBe('closed')
  })

  it('lends each to one borrower at a time, and the last one given back first', async () => {
    const lent = pool({ limit: 2 })
    const [a, b] = [await lent.acquire(), await lent.acquire()]
    expect([a === b, lent.borrowed, lent.size]).toEqual([false, 2, 2])
    await lent.release(a)
    await lent.release(b)

    expect(await lent.acquire()).toBe(b)
    await lent.release(b)
  })

  it('says so when all are in use for too long', async () => {
    const lent = pool({ limit: 1, acquireTimeout: 0.05 })
    const one = await lent.acquire()

    await expect(lent.acquire()).rejects.toMatchObject({
      code: 'MESSAGING_POOL_EXHAUSTED',
      message: expect.stringContaining('all 1 connections'),
    })

    await lent.release(one)
    expect(await lent.acquire()).toBe(one)
    await lent.release(one)
  })

  it('hands on to who waits, in their order', async () => {
    const lent = pool({ limit: 1 })
    const one = await lent.acquire()
    const order: number[] = []
    const users = [1, 2, 3].map((n) => lent.use(async () => void order.push(n)))
    expect(lent.pending).toBe(3)

    await lent.release(one)
    await Promise.all(users)

    expect(order).toEqual([1, 2, 3])
  })

  it('gives back also when the work fails', async () => {
    const lent = pool({ limit: 1 })

    await expect(lent.use(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine')

    expect(lent.borrowed).toBe(0)
  })

  it('makes a new one instead of one that was closed', async () => {
    const lent = pool({ limit: 1 })
    let first: Connection | undefined
    await lent.use(async (connection) => {
      first = connection
      await connection.close()
    })

    await lent.use(async (connection) => {
      expect(connection).not.toBe(first)
      await connection.connect()
    })
  })

  it('refuses what is not its own, and what was given back before', async () => {
    const [lent, other] = [pool(), pool()]
    const one = await lent.acquire()
    await expect(other.release(one)).rejects.toMatchObject({ code: 'MESSAGING_OPTION_INVALID' })
    await lent.release(one)

    await expect(lent.release(one)).rejects.toMatchObject({ code: 'MESSAGING_OPTION_INVALID' })
  })

  it('closes those nobody uses', async () => {
    let closed!: (thing: number) => void
    const closing = new Promise<number>((resolve) => (closed = resolve))
    let count = 0
    const made = new Pool(
      'things',
      {
        make: () => ++count,
        isUsable: () => true,
        close: async (thing) => closed(thing),
      },
      { idleTimeout: 0.01 },
    )
    open.push(made)
    await made.use(async () => undefined)

    expect(await closing).toBe(1)
    expect(made.size).toBe(0)
  })

  it('closes what it lent, and lends nothing more', async () => {
    const lent = pool({ acquireTimeout: 0.05 })
    const one = await lent.acquire()
    await lent.release(one)

    await lent.close()

    expect(one.state).toBe('closed')
    await expect(lent.acquire()).rejects.toMatchObject({ code: 'MESSAGING_CONNECTION_CLOSED' })
  })

  it('does not wait for ever for what is never given back', async () => {
    const lent = pool({ acquireTimeout: 0.05 })
    await lent.acquire()

    await lent.close()
  })

  it.each([{ limit: 0 }, { limit: 1.5 }, { acquireTimeout: 0 }, { idleTimeout: -1 }])(
    'refuses %j',
    (options) => {
      expect(() => pool(options)).toThrow(
        expect.objectContaining({ code: 'MESSAGING_OPTION_INVALID' }),
      )
    },
  )
})

describe('pools of the process', () => {
  it('are shared by who asks for the same target', () => {
    const credentials = () => ({ password: 'x' })
    const one = connections.get('memory://a', { heartbeat: 3, credentials })

    expect(connections.get('memory://a', { credentials, heartbeat: 3 })).toBe(one)
    expect(connections.get('memory://b', { credentials, heartbeat: 3 })).not.toBe(one)
    expect(connections.get('memory://a', { heartbeat: 4, credentials })).not.toBe(one)
    expect(
      connections.get('memory://a', { heartbeat: 3, credentials: () => ({ password: 'x' }) }),
    ).not.toBe(one)
  })

  it('work on channels and publish', async () => {
    await producers
      .get('memory://pools')
      .use((producer) => producer.publish('x', { routingKey: 'q' }))

    const text = await connections.get('memory://pools').withChannel(async (channel) => {
      const delivery = await channel.get('q')
      await delivery!.ack()
      return Buffer.from(delivery!.message.body).toString()
    })

    expect(text).toBe('"x"')
  })

  it('begin anew after a reset, with the limit of then', async () => {
    const one = producers.get('memory://pools')
    producers.setLimit(3)
    await producers.reset()

    const other = producers.get('memory://pools')

    expect([other === one, other.limit, other instanceof ProducerPool]).toEqual([false, 3, true])
    producers.setLimit(10)
  })
})
