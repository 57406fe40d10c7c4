import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import type { LogRecord } from '../../src/kernel/log.ts'
import { makeLogger } from '../../src/kernel/log.ts'
import { Loop, type LoopOptions } from '../../src/loop/loop.ts'
import type { LoopHandler } from '../../src/loop/loop.ts'
import { queue } from '../../src/topology/queue.ts'

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
let count = 0

async function setup(values: readonly unknown[] = []) {
  const lines: LogRecord[] = []
  const connection = new Connection(`memory://loop-${++count}`, {
    ambient: { log: makeLogger((record) => void lines.push(record)) },
  })
  open.push(connection)
  const producer = connection.producer({ routingKey: 'q' })
  for (const value of values) await producer.publish(value)
  const loop = (handler: LoopHandler, options: LoopOptions = {}) =>
    new Loop(connection, ['q'], handler, options)
  const left = async () => {
    const channel = await connection.channel()
    return (await channel.declareQueue(queue('q'))).messages
  }
  return { connection, producer, loop, left, lines }
}

describe('a loop', () => {
  it('acknowledges what its handler returned from, and ends at its limit', async () => {
    const { loop, left } = await setup([1, 2, 3])
    const seen: unknown[] = []

    await loop((value) => void seen.push(value), { limit: 2 }).run()

    expect([seen, await left()]).toEqual([[1, 2], 1])
  })

  it('runs as many at once as it may, and no more', async () => {
    const { loop } = await setup([1, 2, 3, 4, 5])
    let most = 0
    const one = loop(
      async () => {
        most = Math.max(most, one.running)
        await pause(10)
      },
      { concurrency: 2, limit: 5 },
    )

    await one.run()

    expect(most).toBe(2)
  })

  it('is not idle while the first handler runs that began before it was ready', async () => {
    const { connection, loop } = await setup([1])
    const { openChannel } = connection
    connection.openChannel = async (...args) => {
      const opened = await openChannel.apply(connection, args)
      const { consume } = opened.channel
      opened.channel.consume = async (...more) => {
        await consume.apply(opened.channel, more)
        await pause(30)
      }
      return opened
    }
    let aborted = true

    await loop(
      async (_value, _delivery, { signal }) => {
        await pause(120)
        aborted = signal.aborted
      },
      { idleTimeout: 0.04, grace: 0.01 },
    ).run()

    expect(aborted).toBe(false)
  })

  it('takes the outcome its handler returns, or has settled', async () => {
    const { loop, left } = await setup([1, 2])

    await loop(
      async (value, delivery) => {
        if (value === 1) return 'drop'
        await delivery.requeue()
        return undefined
      },
      { limit: 2 },
    ).run()

    expect(await left()).toBe(1)
  })

  it('hands a message out again when its handler fails, once, and then drops it', async () => {
    const { loop, left, lines } = await setup([1])
    let tries = 0

    await loop(
      () => {
        tries++
        throw new Error('no luck')
      },
      { idleTimeout: 0.05 },
    ).run()

    expect([tries, await left()]).toEqual([2, 0])
    expect(lines.map(({ message }) => message)).toEqual(['a handler failed', 'a handler failed'])
  })

  it('does with failures and unreadable messages as it is told', async () => {
    const { connection, loop, left } = await setup([1])
    await connection.producer().publish('{', { contentType: 'application/json', routingKey: 'q' })
    const told: string[] = []

    await loop(
      () => {
        throw new Error('mine')
      },
      {
        limit: 2,
        onError: (error) => {
          told.push((error as Error).message)
          return 'ack'
        },
        onDecodeError: ({ code }) => {
          told.push(code)
          return 'ack'
        },
      },
    ).run()

    expect([told, await left()]).toEqual([['mine', 'MESSAGING_DECODE_FAILED'], 0])
  })

  it('ends when nothing comes for its idle time', async () => {
    const { loop, producer } = await setup()
    const seen: unknown[] = []
    const running = loop((value) => void seen.push(value), { idleTimeout: 0.1 }).run()
    await pause(60)
    await producer.publish('late')

    await running

    expect(seen).toEqual(['late'])
  })

  it('stops: gives back what was not begun, waits for what was, and then aborts it', async () => {
    const { loop, left } = await setup([1, 2, 3, 4])
    const ends: unknown[] = []
    const stop = new AbortController()
    const running = loop(
      async (value, _, { signal }) => {
        if (value === 1) await pause(50)
        else await new Promise((_, reject) => signal.addEventListener('abort', reject))
        ends.push(value)
      },
      { concurrency: 2, prefetch: 3, grace: 0.1, signal: stop.signal },
    ).run()
    await pause(20)

    stop.abort()
    await running

    expect([ends, await left()]).toEqual([[1], 3])
  })

  it('rejects when the broker refuses its queues', async () => {
    const { connection } = await setup()
    const refused = new Loop(connection, [queue('r', { deliveryLimit: 1 })], () => undefined)

    await expect(refused.run()).rejects.toMatchObject({ code: 'MESSAGING_NOT_SUPPORTED' })
  })

  it('is stopped with its connection', async () => {
    const { connection, loop } = await setup()
    const running = loop(() => undefined).run()
    await pause(10)

    await connection.close()

    await running
  })
})
