import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import { SimpleBuffer, SimpleQueue } from '../../src/simple/simple-queue.ts'

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

let count = 0
function setup() {
  const connection = new Connection(`memory://simple-${++count}`)
  open.push(connection)
  return connection
}

const empty = { code: 'MESSAGING_QUEUE_EMPTY' }

describe('a simple queue', () => {
  it('gives back what was got at once by several and never settled', async () => {
    const connection = setup()
    const queue = new SimpleQueue(connection, 'jobs')
    await queue.put(1)
    await queue.put(2)
    await Promise.all([queue.getNow(), queue.getNow()])
    await queue.close()

    expect(await new SimpleQueue(connection, 'jobs').size()).toBe(2)
  })

  it('gives back what was put, in order, and counts it', async () => {
    const queue = new SimpleQueue(setup(), 'jobs')
    await queue.put({ n: 1 })
    await queue.put({ n: 2 }, { headers: { a: 1 } })
    expect(await queue.size()).toBe(2)

    const first = await queue.get()
    await first.ack()
    const second = await queue.get()

    expect([first.value, second.value]).toEqual([{ n: 1 }, { n: 2 }])
    expect(second.message.headers['a']).toBe(1)
    await second.ack()
    expect(await queue.size()).toBe(0)
  })

  it('waits for a message, and hands it to who waited longest', async () => {
    const queue = new SimpleQueue(setup(), 'jobs')
    const waiting = [queue.get(), queue.get({ timeout: 5 })]

    await queue.put('a')
    await (await waiting[0]!).ack()
    await queue.put('b')

    expect((await waiting[0]!).value).toBe('a')
    expect((await waiting[1]!).value).toBe('b')
  })

  it('says so when nothing came in time, or nothing is there', async () => {
    const queue = new SimpleQueue(setup(), 'jobs')

    await expect(queue.getNow()).rejects.toMatchObject(empty)
    await expect(queue.get({ timeout: 0.02 })).rejects.toMatchObject(empty)
    const stop = new AbortController()
    const waiting = queue.get({ signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')

    await queue.put('still works')
    expect((await queue.get({ timeout: 1 })).value).toBe('still works')
  })

  it('takes at once what is there, and clears', async () => {
    const queue = new SimpleQueue(setup(), 'jobs', { serializer: 'yaml', accept: ['yaml'] })
    for (const value of [1, 2, 3]) await queue.put(value)

    const delivery = await queue.getNow()

    expect(delivery.value).toBe(1)
    await delivery.ack()
    expect([await queue.clear(), await queue.size()]).toEqual([2, 0])
  })

  it('gives back at its end what it fetched and nobody took', async () => {
    const connection = setup()
    const queue = new SimpleQueue(connection, 'jobs', { prefetch: 10 })
    for (const value of [1, 2, 3]) await queue.put(value)
    await (await queue.get()).ack()

    await queue.close()

    await expect(queue.put(4)).rejects.toMatchObject({ code: 'MESSAGING_CONNECTION_CLOSED' })
    expect(await new SimpleQueue(connection, 'jobs').size()).toBe(2)
  })

  it('shares its queue with whoever declares the same', async () => {
    const connection = setup()
    const [one, other] = [new SimpleQueue(connection, 'jobs'), new SimpleQueue(connection, 'jobs')]
    await one.put('x')

    expect((await other.get({ timeout: 1 })).value).toBe('x')
  })
})

describe('a simple buffer', () => {
  it('needs no acknowledgement, and goes with its connection', async () => {
    const connection = setup()
    const buffer = new SimpleBuffer(connection, 'scratch')
    expect(buffer.queue).toMatchObject({ durable: false, exclusive: true, autoDelete: true })
    await buffer.put(1)

    const delivery = await buffer.get({ timeout: 1 })

    expect([delivery.value, delivery.isSettled]).toEqual([1, true])
    expect(delivery.message.properties.deliveryMode).toBe(1)
  })
})
