// What a Redis broker must never do with a message: hand it out twice while its consumer lives, or lose it,
// whatever else lies on the server and however full it is.
import { Connection, exchange, queue, silentLogger, type Delivery } from '@celeriac/messaging'
import { afterEach, expect, it } from '@jest/globals'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { describeWith, startPrivateRedis, type ControlledServer } from '../services/brokers.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function until(condition: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const end = Date.now() + ms
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('it did not come about in time')
    await pause(20)
  }
}

type RawRedis = Awaited<ReturnType<typeof rawRedis>>

async function start(): Promise<{
  server: ControlledServer
  raw: RawRedis
  connect(): Connection
}> {
  const server = await startPrivateRedis({ args: ['--appendfsync', 'no'] })
  cleanups.push(() => server.dispose())
  const raw = await rawRedis(server.url)
  cleanups.push(async () => raw.disconnect())
  const connect = (): Connection => {
    const connection = new Connection(server.url, { ambient: { log: silentLogger } })
    cleanups.push(() => connection.close())
    return connection
  }
  return { server, raw, connect }
}

async function fill(connection: Connection, name: string, count: number): Promise<void> {
  const producer = connection.producer()
  await Promise.all(
    Array.from({ length: count }, (_, n) => producer.publish(n, { routingKey: name })),
  )
}

/** Counts who gets what, and acknowledges a little later, as a task does. */
function counter(ackAfterMs = 200) {
  const seen = new Map<unknown, number>()
  const take = (delivery: Delivery): void => {
    seen.set(delivery.value, (seen.get(delivery.value) ?? 0) + 1)
    setTimeout(() => void delivery.ack().catch(() => undefined), ackAfterMs)
  }
  const twice = (): number => [...seen.values()].filter((count) => count > 1).length
  return { seen, take, twice }
}

describeWith('redis', 'messages on a private Redis', () => {
  it('come once when several sessions give back what is due', async () => {
    const { raw, connect } = await start()
    const connections = [connect(), connect(), connect()]
    await fill(connections[0]!, 'due', 1000)
    const dueMs = Date.now() + 1500
    const { seen, take, twice } = counter()
    for (const connection of connections) {
      const consumer = connection.consumer({
        queues: ['due'],
        prefetch: 0,
        onDeliveries: (deliveries) => {
          for (const delivery of deliveries) {
            if (delivery.origin.redelivered) take(delivery)
            else void delivery.settle({ delayUntilMs: dueMs })
          }
        },
      })
      await consumer.start()
    }

    await until(() => seen.size === 1000)
    await until(async () => (await raw.hlen('unacked')) === 0)

    expect(twice()).toBe(0)
  })

  it('come once when several sessions give back what a dead one held', async () => {
    const { raw, connect } = await start()
    const dead = connect()
    await fill(dead, 'orphans', 1000)
    let held = 0
    const holder = dead.consumer({
      queues: ['orphans'],
      prefetch: 0,
      onDeliveries: (deliveries) => void (held += deliveries.length),
    })
    await holder.start()
    await until(() => held === 1000)
    // When it comes back it must not take them again.
    await holder.cancel()
    const [session] = await raw.zrangebyscore('celeriac:unacked:sessions', '-inf', '+inf')
    const { seen, take, twice } = counter()
    for (const connection of [connect(), connect(), connect()]) {
      const consumer = connection.consumer({
        queues: ['orphans'],
        prefetch: 0,
        onDeliveries: (deliveries) => deliveries.forEach(take),
      })
      await consumer.start()
    }

    await raw
      .multi()
      .zrem('celeriac:unacked:sessions', session!)
      .sadd('celeriac:unacked:dead', session!)
      .exec()

    await until(() => seen.size === 1000)
    await until(async () => (await raw.hlen('unacked')) === 0)
    expect(twice()).toBe(0)
  })

  it('are not lost when one of the queues turns out to be something else', async () => {
    const { raw, connect } = await start()
    const connection = connect()
    const { seen, take } = counter(0)
    const consumer = connection.consumer({
      queues: ['good', 'bad'],
      prefetch: 10,
      onDeliveries: (deliveries) => deliveries.forEach(take),
    })
    await consumer.start()

    await raw.hset('bad', 'no', 'list')
    await fill(connection, 'good', 50)
    await pause(500)
    await raw.del('bad')

    await until(() => seen.size === 50)
    await until(async () => (await raw.hlen('unacked')) === 0)
  })

  it('held by a channel that failed go back although its session lives', async () => {
    const { raw, connect } = await start()
    const connection = connect()
    await fill(connection, 'kept', 3)
    const channel = await connection.channel()
    let held = 0
    await channel.consume('kept', { tag: 'one' }, (deliveries) => void (held += deliveries.length))
    await until(() => held === 3)

    await raw.call('ACL', 'SETUSER', 'default', '-rpop')
    await fill(connect(), 'kept', 1)

    await expect(channel.closed).resolves.toMatchObject({ fault: 'fatal' })
    expect(connection.state).toBe('connected')
    expect(await raw.llen('kept')).toBe(4)
  })

  it('are consumed from a server that has no memory left to give', async () => {
    const { raw, connect } = await start()
    const connection = connect()
    const full = queue('full', { bindings: [{ exchange: exchange('ex'), routingKey: 'full' }] })
    await connection.producer().publish(0, { routingKey: 'full', declare: [full] })
    await fill(connection, 'full', 100)
    await raw.config('SET', 'maxmemory', '1mb')
    const { seen, take } = counter(0)
    const consumer = connect().consumer({
      queues: [full],
      prefetch: 10,
      onDeliveries: (deliveries) => deliveries.forEach(take),
    })

    await consumer.start()

    await until(() => seen.size === 100)
    await expect(connection.producer().publish(1, { routingKey: 'full' })).rejects.toMatchObject({
      code: 'MESSAGING_PUBLISH_REFUSED',
    })
  })

  it('that are none are put aside once, also out of the queue for such', async () => {
    const { raw, connect } = await start()
    await raw.lpush('celeriac.parked', 'garbage')
    const channel = await connect().channel()

    expect(await channel.get('celeriac.parked')).toBeUndefined()

    expect(await raw.lrange('celeriac.parked.unreadable', 0, -1)).toEqual(['garbage'])
  })

  it('go back to the queue of their own priority, not to one their headers name', async () => {
    const { raw, connect } = await start()
    const connection = connect()
    await connection.producer().publish(1, { routingKey: 'ranked', headers: { priority: 9 } })
    const channel = await connection.channel()

    await (await channel.get('ranked'))!.requeue()

    expect(await raw.llen('ranked')).toBe(1)
  })

  it('count a requeue as a delivery, and going back unused as none', async () => {
    const { connect } = await start()
    const connection = connect()
    await connection.producer().publish(1, { routingKey: 'counted' })
    const channel = await connection.channel()
    const attempts: number[] = []
    for (const outcome of ['restore', 'requeue', 'ack'] as const) {
      const delivery = await channel.get('counted')
      attempts.push(delivery!.origin.attempts)
      await delivery!.settle(outcome)
    }

    expect(attempts).toEqual([0, 0, 1])
  })

  it('of a fanout come once however often its queue was declared', async () => {
    const { connect } = await start()
    const connection = connect()
    const all = exchange('all', { type: 'fanout' })
    const inbox = queue('inbox', { bindings: [{ exchange: all, routingKey: '' }] })
    const producer = connection.producer({ exchange: all })
    await producer.publish(0, { declare: [inbox] })
    const values: unknown[] = []
    const consumer = connection.consumer({
      queues: [inbox],
      onDeliveries: (deliveries) => deliveries.forEach(({ value }) => values.push(value)),
    })
    await consumer.start()

    await producer.publish(1)
    await until(() => values.length > 0)
    await pause(100)

    expect(values).toEqual([1])
  })

  it('cost no more sockets the longer the server stands still', async () => {
    const { server } = await start()
    const connection = new Connection(server.url, {
      heartbeat: 0,
      connectTimeout: 0.2,
      ambient: { log: silentLogger },
    })
    const sockets = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    const before = sockets()
    let attempts = 0
    connection.signals.on('retrying', () => void attempts++)

    server.pause()
    try {
      await expect(
        connection.producer().publish(1, { routingKey: 'frozen', timeout: 7 }),
      ).rejects.toMatchObject({ code: 'MESSAGING_PUBLISH_TIMEOUT' })
      await connection.close()
      expect(attempts).toBeGreaterThan(5)
      await until(() => sockets() <= before, 4000)
    } finally {
      server.resume()
    }
  })

  it('do not keep a connection from closing while the server stands still', async () => {
    const { server, connect } = await start()
    const connection = new Connection(server.url, {
      heartbeat: 0.5,
      ambient: { log: silentLogger },
    })
    await fill(connect(), 'still', 3)
    let held = 0
    const consumer = connection.consumer({
      queues: ['still'],
      onDeliveries: (deliveries) => void (held += deliveries.length),
    })
    await consumer.start()
    await until(() => held === 3)

    server.pause()
    try {
      await expect(connection.close()).resolves.toBeUndefined()
    } finally {
      server.resume()
    }

    let again = 0
    const other = connect().consumer({
      queues: ['still'],
      onDeliveries: (deliveries) => void (again += deliveries.length),
    })
    await other.start()
    await until(() => again === 3, 20_000)
  })
})
