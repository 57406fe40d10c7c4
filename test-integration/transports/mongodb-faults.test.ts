// MongoDB as a broker when things go wrong: logins, links, servers, sessions, documents.
import { Connection, message, queue, silentLogger } from '@celeriac/messaging'
import { FaultProxy, Inbox } from '@celeriac/messaging/testing'
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { MongoClient, type Db } from 'mongodb'
import { inspect } from 'node:util'
import { keepsConfirmed } from '../fixtures/server-outage.ts'
import { killChild, pause, startChild, until } from '../fixtures/crash-rounds.ts'
import {
  describeWith,
  startPrivateMongo,
  uniqueName,
  urlOf,
  type ControlledServer,
} from '../services/brokers.ts'

const cleanups: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function connect(url: string, options: ConstructorParameters<typeof Connection>[1] = {}) {
  const connection = new Connection(url, { ambient: { log: silentLogger }, ...options })
  cleanups.push(() => connection.close())
  return connection
}

/** A database of the test's own; `on` a server of its own. */
function newUrl(on = urlOf('mongodb')): string {
  return `${on}/${uniqueName('faults')}`
}

/** A plain client, to look at the documents and to break things. */
async function raw(url: string): Promise<Db> {
  const client = new MongoClient(url)
  await client.connect()
  cleanups.push(() => client.close())
  return client.db()
}

async function proxyTo(url: string): Promise<FaultProxy> {
  const proxy = await FaultProxy.to(url)
  cleanups.push(() => proxy.close())
  return proxy
}

describeWith('mongodb', 'logging in to MongoDB', () => {
  it('refuses a wrong password for good, and never shows it', async () => {
    const url = newUrl().replace('://', '://someone:Secr3t-wr0ng@')
    const error: Error = await connect(url)
      .connect()
      .then(
        () => new Error('it connected'),
        (reason: unknown) => reason as Error,
      )

    expect(error).toMatchObject({ code: 'MESSAGING_AUTHENTICATION_FAILED', fault: 'fatal' })
    expect(`${error.message} ${String(error.stack)}`).not.toContain('Secr3t')
    expect(inspect(error, { depth: 12 })).not.toContain('Secr3t')
  })

  it('refuses options nobody knows, and values the driver cannot use, for good', async () => {
    for (const query of ['nonsense=1', 'readPreference=best', 'authMechanism=MAGIC'])
      await expect(connect(`${newUrl()}?${query}`).connect()).rejects.toMatchObject({
        code: expect.stringMatching(/^MESSAGING_(OPTION|URL)_INVALID$/) as unknown as string,
        fault: 'fatal',
      })
  })

  it('takes a URL without a path, or without a host where the usual one answers', async () => {
    const bare = connect(`${urlOf('mongodb')}?appName=bare`)
    expect((await bare.connect()).server).toMatch(/^(MongoDB|FerretDB)/)

    // Nobody may listen there; what matters is which address was tried.
    const reason = await connect('mongodb:///nowhere', { connectTimeout: 0.5 })
      .connect()
      .then(
        ({ server }) => server,
        (error: unknown) => (error as { code: string }).code,
      )
    expect(reason).toMatch(/^(MESSAGING_CONNECT_FAILED|MongoDB|FerretDB)/)
  })

  it('takes options of the driver from the URL, and a database of Kombu without one', async () => {
    const connection = connect(`${urlOf('mongodb')}/?directConnection=true&appName=named`)

    const { server } = await connection.connect()

    expect(server).toMatch(/^(MongoDB|FerretDB)/)
    expect(
      await (await raw(`${urlOf('mongodb')}/kombu_default`)).listCollections().toArray(),
    ).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'messages.broadcast' }),
      ]) as unknown as unknown[],
    )
  })
})

describeWith('mongodb', 'broken links to MongoDB', () => {
  it('gives up a server that says nothing by the deadline', async () => {
    const url = newUrl()
    const proxy = await proxyTo(url)
    proxy.setMode('blackhole')
    const started = performance.now()

    await expect(
      connect(proxy.through(url), { connectTimeout: 0.3 }).connect(),
    ).rejects.toMatchObject({ code: 'MESSAGING_CONNECT_FAILED', fault: 'connection' })

    expect(performance.now() - started).toBeLessThan(2000)
  })

  it('notices within 10 s an idle link on which nothing moves, and comes back', async () => {
    const url = newUrl()
    const proxy = await proxyTo(url)
    const connection = connect(proxy.through(url))
    await connection.connect()
    await pause(300)
    const lost = connection.signals.once('disconnected', AbortSignal.timeout(12_000))
    const started = performance.now()

    proxy.setMode('blackhole')
    await lost

    console.log(`black hole noticed after ${Math.round(performance.now() - started)} ms`)
    expect(performance.now() - started).toBeLessThan(10_000)
    proxy.setMode('pass')
    expect((await connection.channel()).isOpen).toBe(true)
  })

  it('keeps what it holds when only the link broke, and settles it on the next one', async () => {
    const url = newUrl()
    const proxy = await proxyTo(url)
    const connection = connect(proxy.through(url))
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: ['resumed'],
      prefetch: 10,
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()
    await connection.producer().publish('once', { routingKey: 'resumed', serializer: 'text' })
    await inbox.atLeast(1)
    const other = await connect(url).channel()

    const back = consumer.signals.once('ready', AbortSignal.timeout(10_000))
    proxy.breakAll()
    await back
    expect(await other.get('resumed')).toBeUndefined()
    await inbox.deliveries[0]!.ack()
    await pause(300)

    expect(inbox.texts).toEqual(['once'])
    expect(await (await raw(url)).collection('messages').countDocuments()).toBe(0)
  })
})

describeWith('mongodb', 'a MongoDB that goes away', () => {
  let server: ControlledServer

  beforeAll(async () => {
    server = await startPrivateMongo()
  })

  afterAll(async () => {
    await server.dispose()
  })

  for (const [how, end] of [
    ['restarted', () => server.stop()],
    ['killed', () => server.kill9()],
  ] as const) {
    it(`keeps what was confirmed when it is ${how}`, async () => {
      const connection = connect(newUrl(server.url), { publishTimeout: 20 })
      await keepsConfirmed(how, { connection, queue: how, server, end, drainMs: 25_000 })
    })
  }

  it('rejects what cannot be sent by its deadline', async () => {
    const connection = connect(newUrl(server.url), { publishTimeout: 1.5 })
    await connection.connect()
    const producer = connection.producer()
    server.pause()
    try {
      const started = performance.now()
      const sends = await Promise.allSettled(
        Array.from({ length: 100 }, (_, i) => producer.publish(i, { routingKey: 'frozen' })),
      )
      expect(sends.every(({ status }) => status === 'rejected')).toBe(true)
      expect(performance.now() - started).toBeLessThan(3000)
    } finally {
      server.resume()
    }
  })

  it('needs three sockets when idle, and wakes at once', async () => {
    const url = newUrl(server.url)
    const proxy = await proxyTo(url)
    let received!: () => void
    const consumer = connect(proxy.through(url)).consumer({
      queues: ['wake'],
      prefetch: 10,
      onDeliveries: (deliveries) => {
        received()
        for (const delivery of deliveries) void delivery.ack()
      },
    })
    await consumer.start()
    const producer = connect(url).producer()
    const waits: number[] = []
    for (let i = 0; i < 100; i++) {
      await pause(40)
      const arrived = new Promise<void>((resolve) => (received = resolve))
      const started = performance.now()
      await Promise.all([producer.publish(i, { routingKey: 'wake' }), arrived])
      waits.push(performance.now() - started)
    }
    await until(() => proxy.open <= 3, 30_000)

    const sorted = waits.toSorted((a, b) => a - b)
    const [p50, p99] = [sorted[50]!, sorted[98]!]
    console.log(
      `publish to delivery: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; sockets ${proxy.open}`,
    )
    expect(proxy.open).toBeLessThanOrEqual(3)
    // Without notices it would be half of the pause between looks: 500 ms.
    expect(p50).toBeLessThan(100)
  })
})

describeWith('mongodb', 'sessions on MongoDB', () => {
  it('delivers each message once, however many compete for it', async () => {
    const url = newUrl()
    const publisher = connect(url)
    const channel = await publisher.channel()
    await channel.declareQueue(queue('race'))
    const total = 300
    const seen: string[] = []
    const consumers = Array.from({ length: 5 }, () =>
      connect(url).consumer({
        queues: ['race'],
        prefetch: 3,
        onDeliveries: (deliveries) => {
          for (const delivery of deliveries) {
            seen.push(Buffer.from(delivery.message.body).toString())
            void delivery.ack()
          }
        },
      }),
    )
    await Promise.all(consumers.map((consumer) => consumer.start()))

    for (let i = 0; i < total; i += 20)
      await channel.publish(
        Array.from({ length: 20 }, (_, k) => ({
          exchange: '',
          routingKey: 'race',
          message: message(String(i + k)),
        })),
      )
    await until(() => seen.length >= total, 40_000)
    await pause(500)

    console.log(
      `${total} messages, 5 consumers: ${seen.length - new Set(seen).size} delivered twice`,
    )
    expect(seen.length).toBe(total)
    expect(new Set(seen).size).toBe(total)
    const db = await raw(url)
    expect(await db.collection('messages').countDocuments()).toBe(0)
    expect(await db.collection('messages.locks').countDocuments()).toBe(0)
  })

  it('gives back within 15 s what a killed process held, with the attempt counted', async () => {
    const url = newUrl()
    const channel = await connect(url).channel()
    await channel.declareQueue(queue('held'))
    await channel.publish([{ exchange: '', routingKey: 'held', message: message('precious') }])
    const child = await new Promise<ReturnType<typeof startChild>>((resolve) => {
      const holder = startChild('hold', url, 'held', ({ held }) => held && resolve(holder))
    })
    const inbox = new Inbox()
    await channel.consume('held', { tag: 't' }, inbox.onDeliveries)

    await killChild(child)
    const started = performance.now()
    await inbox.atLeast(1, 15_000)

    console.log(`back after ${Math.round(performance.now() - started)} ms`)
    expect(inbox.deliveries[0]!.origin).toMatchObject({ attempts: 1, redelivered: true })
    await inbox.deliveries[0]!.ack()
  })

  it('fences a session that was given up: it settles nothing, and starts anew', async () => {
    const url = newUrl()
    const connection = connect(url)
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: ['fenced'],
      prefetch: 1,
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()
    await connection.producer().publish('once', { routingKey: 'fenced', serializer: 'text' })
    await inbox.atLeast(1)
    const db = await raw(url)
    const held = await db.collection('messages').findOne({})
    const owner = held!['owner'] as string

    const interrupted = consumer.signals.once('interrupted', AbortSignal.timeout(10_000))
    await db
      .collection<{ _id: string }>('messages.sessions')
      .updateOne({ _id: owner }, { $set: { dead: true } })
    const other = connect(url)
    await other.connect()
    await until(
      async () => (await db.collection('messages').countDocuments({ owner })) === 0,
      10_000,
    )
    await inbox.deliveries[0]!.ack().catch(() => undefined)

    expect((await interrupted).error).toMatchObject({ code: 'MESSAGING_LEASE_LOST' })
    // Where claims need a lock, one that the dead session still took may have to outlive its lease first.
    await inbox.atLeast(2, 25_000)
    expect(inbox.texts).toEqual(['once', 'once'])
    await inbox.deliveries[1]!.ack()
  })

  it('parks documents that are no messages', async () => {
    const url = newUrl()
    const connection = connect(url)
    const channel = await connection.channel()
    await channel.declareQueue(queue('garbage'))
    const db = await raw(url)
    await db
      .collection('messages')
      .insertMany([
        { queue: 'garbage', priority: 0, payload: 'no JSON' },
        { queue: 'garbage', priority: 0, payload: '{"body": 1}' },
        { queue: 'garbage', priority: 0, payload: { an: 'object' } },
        { queue: 'garbage' },
        { _id: 'text' as never, queue: 'garbage', priority: 'odd', payload: 7 },
      ])
    await channel.publish([{ exchange: '', routingKey: 'garbage', message: message('good') }])
    const inbox = new Inbox()
    await channel.consume('garbage', { tag: 't' }, inbox.onDeliveries)
    await inbox.atLeast(1)

    expect(inbox.texts).toEqual(['good'])
    await inbox.deliveries[0]!.ack()
    const parked = () => db.collection('messages').countDocuments({ queue: 'celeriac.parked' })
    await until(async () => (await parked()) === 5, 5000)
    expect(await parked()).toBe(5)
  })

  it('refuses only the message that is too large', async () => {
    const channel = await connect(newUrl()).channel()
    const large = message('x'.repeat(13 * 1024 * 1024))
    const results = await channel.publish([
      { exchange: '', routingKey: 'large', message: large },
      { exchange: '', routingKey: 'large', message: message('small') },
    ])

    expect(results?.get(0)).toMatchObject({ code: 'MESSAGING_TOO_LARGE', fault: 'message' })
    expect(results?.size).toBe(1)
    const delivery = await channel.get('large')
    expect(Buffer.from(delivery!.message.body).toString()).toBe('small')
    await delivery!.ack()
  })

  it('loses nothing when consumers are killed at any instant', async () => {
    const url = newUrl()
    const rounds = process.env['CELERIAC_CHAOS'] === 'long' ? 200 : 30
    const producer = connect(url, { publishTimeout: 20 }).producer()
    const done = new Map<string, number>()
    const start = () =>
      startChild('consume', url, 'ledger', (report) => {
        for (const { id } of report.done ?? []) done.set(id, (done.get(id) ?? 0) + 1)
      })
    const children = [start(), start()]
    cleanups.push(() => Promise.all(children.map(killChild)))
    const confirmed: string[] = []

    let isOver = false
    const publishing = (async () => {
      for (let batch = 0; !isOver; batch++) {
        const ids = Array.from({ length: 10 }, (_, i) => `${batch}-${i}`)
        await producer.publishMany(
          ids.map((id) => ({ exchange: '', routingKey: 'ledger', message: message(id) })),
        )
        confirmed.push(...ids)
        await pause(50)
        // This server looks at every document for each question: a long queue takes it minutes.
        await until(() => isOver || confirmed.length - done.size < 200, 60_000)
      }
    })()

    for (let round = 0; round < rounds; round++) {
      await pause(50 + Math.random() * 500)
      await killChild(children[round % 2]!)
      children[round % 2] = start()
    }
    isOver = true
    await publishing
    const killedMs = performance.now()
    await until(() => confirmed.every((id) => done.has(id)), 60_000)

    const lost = confirmed.filter((id) => !done.has(id))
    const twice = [...done.values()].filter((times) => times > 1).length
    const backMs = Math.round(performance.now() - killedMs)
    console.log(
      `${rounds} kills, ${confirmed.length} confirmed, ${lost.length} lost, ${twice} delivered again, all there ${backMs} ms after the last kill`,
    )
    expect(lost).toEqual([])
    // Without any before it is killed, a consumer would prove nothing.
    expect(done.size).toBe(confirmed.length)
    await until(
      async () => (await (await raw(url)).collection('messages').countDocuments()) === 0,
      5000,
    )
  }, 400_000)
})
