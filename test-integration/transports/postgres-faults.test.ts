// PostgreSQL as a broker when things go wrong: logins, links, servers, sessions, rows.
import {
  Connection,
  message,
  queue,
  silentLogger,
  systemClock,
  transports,
} from '@celeriac/messaging'
import { FaultProxy, Inbox } from '@celeriac/messaging/testing'
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import pg from 'pg'
import { keepsConfirmed } from '../fixtures/server-outage.ts'
import { killChild, pause, startChild, until } from '../fixtures/crash-rounds.ts'
import {
  describeWith,
  startPrivatePostgres,
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

/** A plain client, to look at the tables and to break things. */
async function client(url: string): Promise<pg.Client> {
  const one = new pg.Client({ connectionString: url })
  one.on('error', () => undefined)
  await one.connect()
  cleanups.push(() => one.end().catch(() => undefined))
  return one
}

async function proxyTo(url: string): Promise<FaultProxy> {
  const proxy = await FaultProxy.to(url)
  cleanups.push(() => proxy.close())
  return proxy
}

function changed(url: string, change: (url: URL) => void): string {
  const parsed = new URL(url)
  change(parsed)
  return parsed.href
}

const bodyOf = (delivery: { message: { body: Uint8Array } }) =>
  Buffer.from(delivery.message.body).toString()

describeWith('postgres', 'logging in to PostgreSQL', () => {
  it('refuses a wrong password for good, and never shows it', async () => {
    const connection = connect(changed(urlOf('postgres'), (url) => (url.password = 'Secr3t-wr0ng')))

    const error: Error = await connection.connect().then(
      () => new Error('it connected'),
      (reason: unknown) => reason as Error,
    )

    expect(error).toMatchObject({ code: 'MESSAGING_AUTHENTICATION_FAILED', fault: 'fatal' })
    expect(`${error.message} ${String(error.stack)}`).not.toContain('Secr3t')
  })

  it('refuses a database that is not there for good', async () => {
    const connection = connect(changed(urlOf('postgres'), (url) => (url.pathname = '/nowhere')))

    await expect(connection.connect()).rejects.toMatchObject({
      code: 'MESSAGING_CONNECT_FAILED',
      fault: 'fatal',
      message: expect.stringContaining('nowhere'),
    })
  })

  it('refuses a server without TLS when TLS is asked for', async () => {
    const connection = connect(`${urlOf('postgres')}?sslmode=no-verify`)

    await expect(connection.connect()).rejects.toMatchObject({
      code: 'MESSAGING_CONNECT_FAILED',
      fault: 'fatal',
    })
  })

  it('refuses a schema that cannot be one', async () => {
    const connection = connect(urlOf('postgres'), { transportOptions: { schema: 'x'.repeat(64) } })

    await expect(connection.connect()).rejects.toMatchObject({
      code: 'MESSAGING_OPTION_INVALID',
      fault: 'fatal',
    })
  })

  it('makes its tables once when many come first at the same time, and refuses another layout', async () => {
    const url = urlOf('postgres')
    const schema = uniqueName('Own "schema"')
    const raw = await client(url)
    cleanups.push(() => raw.query(`DROP SCHEMA ${pg.escapeIdentifier(schema)} CASCADE`))
    const options = { transportOptions: { schema } }

    await Promise.all(Array.from({ length: 6 }, () => connect(url, options).connect()))
    await raw.query(`UPDATE ${pg.escapeIdentifier(schema)}.celeriac_broker SET version = 99`)

    await expect(connect(url, options).connect()).rejects.toMatchObject({
      code: 'MESSAGING_CONNECT_FAILED',
      fault: 'fatal',
      message: expect.stringContaining('layout 99'),
    })
  })

  it('needs no right to make tables that are there', async () => {
    const url = urlOf('postgres')
    const schema = uniqueName('given').replaceAll('-', '_')
    const role = `${schema}_role`
    const raw = await client(url)
    cleanups.push(() => raw.query(`DROP SCHEMA ${schema} CASCADE; DROP ROLE ${role}`))
    await connect(url, { transportOptions: { schema } }).connect()
    await raw.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'pw'; GRANT USAGE ON SCHEMA ${schema} TO ${role};
       GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role};
       GRANT ALL ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}`,
    )
    const asRole = changed(url, (one) => ([one.username, one.password] = [role, 'pw']))

    const channel = await connect(asRole, { transportOptions: { schema } }).channel()
    await channel.declareQueue(queue('q'))
    await channel.publish([{ exchange: '', routingKey: 'q', message: message('x') }])
    expect(await channel.removeQueue('q')).toBe(1)

    await expect(
      connect(asRole, { transportOptions: { schema: `${schema}_new` } }).connect(),
    ).rejects.toMatchObject({ fault: 'fatal' })
  })
})

describeWith('postgres', 'broken links to PostgreSQL', () => {
  it('gives up a server that says nothing by the deadline', async () => {
    const proxy = await proxyTo(urlOf('postgres'))
    proxy.setMode('blackhole')
    const started = performance.now()

    await expect(
      connect(proxy.through(urlOf('postgres')), { connectTimeout: 0.3 }).connect(),
    ).rejects.toMatchObject({ code: 'MESSAGING_CONNECT_FAILED', fault: 'connection' })

    expect(performance.now() - started).toBeLessThan(2000)
    proxy.setMode('pass')
    expect(await until(() => proxy.open === 0, 2000)).toBe(true)
  })

  it('notices within 10 s an idle link on which nothing moves, and comes back', async () => {
    const proxy = await proxyTo(urlOf('postgres'))
    const connection = connect(proxy.through(urlOf('postgres')))
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

  it('comes back when the server ends its backends, with everything it had', async () => {
    const url = urlOf('postgres')
    const name = uniqueName('terminated')
    const connection = connect(url, { clientName: name })
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [name],
      prefetch: 10,
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()
    const raw = await client(url)

    for (let round = 1; round <= 5; round++) {
      const back = consumer.signals.once('ready', AbortSignal.timeout(10_000))
      const { rowCount } = await raw.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
        [name],
      )
      expect(rowCount).toBe(2)
      await back
      await connection.producer().publish(`${round}`, { routingKey: name, serializer: 'text' })
      await inbox.atLeast(round)
      await inbox.deliveries.at(-1)!.ack()
    }

    expect(inbox.texts).toEqual(['1', '2', '3', '4', '5'])
  })

  it('keeps what it holds when only the link broke, and settles it on the next one', async () => {
    const url = urlOf('postgres')
    const proxy = await proxyTo(url)
    const name = uniqueName('resumed')
    const connection = connect(proxy.through(url))
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [name],
      prefetch: 10,
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()
    await connection.producer().publish('once', { routingKey: name, serializer: 'text' })
    await inbox.atLeast(1)
    const other = await connect(url).channel()

    const back = consumer.signals.once('ready', AbortSignal.timeout(10_000))
    proxy.breakAll()
    await back
    expect(await other.get(name)).toBeUndefined()
    await inbox.deliveries[0]!.ack()
    await pause(300)

    expect(inbox.texts).toEqual(['once'])
    expect((await other.declareQueue(queue(name), { passive: true })).messages).toBe(0)
    const raw = await client(url)
    const { rows } = await raw.query('SELECT 1 FROM celeriac_messages WHERE queue = $1', [name])
    expect(rows).toEqual([])
  })
})

describeWith('postgres', 'a PostgreSQL that goes away', () => {
  let server: ControlledServer

  beforeAll(async () => {
    server = await startPrivatePostgres()
  })

  afterAll(async () => {
    await server.dispose()
  })

  for (const [how, end] of [
    ['restarted', () => server.stop()],
    ['killed', () => server.kill9()],
  ] as const) {
    it(`keeps what was confirmed when it is ${how}`, async () => {
      const connection = connect(server.url, { publishTimeout: 20 })
      await keepsConfirmed(how, { connection, queue: uniqueName(how), server, end })
    })
  }

  it('takes nothing from who held it while the server was away', async () => {
    const name = uniqueName('away')
    const connections = [connect(server.url), connect(server.url)]
    const inbox = new Inbox()
    const consumers = connections.map((connection) =>
      connection.consumer({ queues: [name], prefetch: 5, onDeliveries: inbox.onDeliveries }),
    )
    for (const consumer of consumers) await consumer.start()
    await connections[0]!.producer().publishMany(
      Array.from({ length: 10 }, (_, i) => ({
        exchange: '',
        routingKey: name,
        message: message(String(i)),
      })),
    )
    await inbox.atLeast(10)
    const back = consumers.map((consumer) =>
      consumer.signals.once('ready', AbortSignal.timeout(30_000)),
    )

    await server.stop()
    // Longer than a session whose link is gone may be silent.
    await pause(10_000)
    await server.start()
    await Promise.all(back)
    await pause(1000)
    await Promise.all(inbox.deliveries.map((delivery) => delivery.ack()))
    await pause(1000)

    expect(inbox.texts.length).toBe(10)
    const raw = await client(server.url)
    const { rows } = await raw.query('SELECT 1 FROM celeriac_messages WHERE queue = $1', [name])
    expect(rows).toEqual([])
  })

  it('rejects what cannot be sent by its deadline', async () => {
    const connection = connect(server.url, { publishTimeout: 1.5 })
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
})

describeWith('postgres', 'sessions on PostgreSQL', () => {
  it('wakes at once, with two sockets, and asks next to nothing while nothing comes', async () => {
    const server = await startPrivatePostgres()
    cleanups.push(() => server.dispose())
    const connection = connect(server.url, { clientName: 'idle' })
    let received!: () => void
    const consumer = connection.consumer({
      queues: ['wake'],
      prefetch: 10,
      onDeliveries: (deliveries) => {
        received()
        for (const delivery of deliveries) void delivery.ack()
      },
    })
    await consumer.start()
    const producer = connect(server.url).producer()
    const measure = async (): Promise<number[]> => {
      const waits: number[] = []
      for (let i = 0; i < 150; i++) {
        await pause(10)
        const arrived = new Promise<void>((resolve) => (received = resolve))
        const started = performance.now()
        await Promise.all([producer.publish(i, { routingKey: 'wake' }), arrived])
        waits.push(performance.now() - started)
      }
      return waits.toSorted((x, y) => x - y)
    }
    // The best of three: other tests run on this machine at the same time.
    const rounds = [await measure(), await measure(), await measure()]
    const p99Of = (sorted: readonly number[]) => sorted[Math.floor(sorted.length * 0.99)]!
    const sorted = rounds.toSorted((x, y) => p99Of(x) - p99Of(y))[0]!

    const raw = await client(server.url)
    const sockets = await raw.query(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'idle'",
    )
    const asked = async (): Promise<number> => {
      const { rows } = await raw.query(
        'SELECT xact_commit::int AS n FROM pg_stat_database WHERE datname = current_database()',
      )
      return (rows[0] as { n: number }).n
    }
    // The server counts late.
    await pause(12_000)
    const before = await asked()
    await pause(15_000)
    // Two of them are the look itself; two sessions were open.
    const idle = (await asked()) - before
    const p99 = p99Of(sorted)
    const p50 = sorted[Math.floor(sorted.length / 2)]!
    console.log(
      `publish to delivery: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; sockets ${(sockets.rows[0] as { n: number }).n}; ${idle} transactions in 15 s of two idle sessions and autovacuum`,
    )
    expect(sockets.rows).toEqual([{ n: 2 }])
    expect(p99).toBeLessThan(20)
    expect(idle).toBeLessThan(20)
  })

  it('gives back within 15 s what a killed process held, with the attempt counted', async () => {
    const url = urlOf('postgres')
    const name = uniqueName('held')
    const channel = await connect(url).channel()
    await channel.declareQueue(queue(name))
    await channel.publish([{ exchange: '', routingKey: name, message: message('precious') }])
    const child = await new Promise<ReturnType<typeof startChild>>((resolve) => {
      const holder = startChild('hold', url, name, ({ held }) => held && resolve(holder))
    })
    const inbox = new Inbox()
    await channel.consume(name, { tag: 't' }, inbox.onDeliveries)

    await killChild(child)
    const started = performance.now()
    await inbox.atLeast(1, 15_000)

    console.log(`back after ${Math.round(performance.now() - started)} ms`)
    expect(inbox.deliveries[0]!.origin).toMatchObject({ attempts: 1, redelivered: true })
    await inbox.deliveries[0]!.ack()
  })

  it('hands out once what is due, and what a dead session held, whoever gives it back', async () => {
    const url = urlOf('postgres')
    const name = uniqueName('many')
    const dead = connect(url, { clientName: name })
    const channel = await dead.channel()
    await channel.declareQueue(queue(name))
    await channel.publish(
      Array.from({ length: 1000 }, (_, i) => ({
        exchange: '',
        routingKey: name,
        message: message(String(i)),
      })),
    )
    // Half of them wait for an hour, half are held by a session that dies.
    const dueMs = Date.now() + 1500
    for (let i = 0; i < 1000; i++) {
      const delivery = await channel.get(name)
      if (i % 2 === 0) await delivery!.settle({ delayUntilMs: dueMs })
    }
    const seen = new Map<string, number>()
    for (let i = 0; i < 4; i++) {
      const consumer = connect(url).consumer({
        queues: [name],
        prefetch: 20,
        onDeliveries: (deliveries) => {
          for (const delivery of deliveries) {
            const text = bodyOf(delivery)
            seen.set(text, (seen.get(text) ?? 0) + 1)
            setTimeout(() => void delivery.ack(), 10)
          }
        },
      })
      await consumer.start()
    }
    const raw = await client(url)

    await raw.query('DELETE FROM celeriac_sessions WHERE client = $1', [name])
    await until(() => seen.size === 1000, 20_000)
    await pause(1000)

    expect(seen.size).toBe(1000)
    expect([...seen.values()].filter((times) => times > 1)).toEqual([])
    const { rows } = await raw.query('SELECT 1 FROM celeriac_messages WHERE queue = $1', [name])
    expect(rows).toEqual([])
  })

  it('fences a session that was given up: it settles nothing, and starts anew', async () => {
    const url = urlOf('postgres')
    const name = uniqueName('fenced')
    const connection = connect(url, { clientName: name })
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [name],
      prefetch: 1,
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()
    await connection.producer().publish('once', { routingKey: name, serializer: 'text' })
    await inbox.atLeast(1)
    const raw = await client(url)

    const interrupted = consumer.signals.once('interrupted', AbortSignal.timeout(10_000))
    await raw.query('DELETE FROM celeriac_sessions WHERE client = $1', [name])
    // Whoever ticks next gives back what belongs to nobody.
    const other = await connect(url).channel()
    await until(
      async () => (await other.declareQueue(queue(name))).messages > 0 || inbox.texts.length > 1,
      10_000,
    )
    await inbox.deliveries[0]!.ack().catch(() => undefined)

    expect((await interrupted).error).toMatchObject({ code: 'MESSAGING_LEASE_LOST' })
    await inbox.atLeast(2)
    expect(inbox.texts).toEqual(['once', 'once'])
    await inbox.deliveries[1]!.ack()
  })

  for (const aheadMs of [3_600_000, -3_600_000]) {
    it(`keeps hours by the clock of who gives them, ${aheadMs / 60_000} min from the server's`, async () => {
      const name = uniqueName('skewed')
      const clock = { ...systemClock, now: () => Date.now() + aheadMs }
      const connection = connect(urlOf('postgres'), { ambient: { log: silentLogger, clock } })
      const channel = await connection.channel()
      await channel.declareQueue(queue(name, { messageTtlMs: 60_000 }))
      await channel.publish([{ exchange: '', routingKey: name, message: message('x') }])
      const inbox = new Inbox()
      await channel.consume(name, { tag: 't' }, inbox.onDeliveries)
      await inbox.atLeast(1)
      const dueMs = clock.now() + 500

      await inbox.deliveries[0]!.settle({ delayUntilMs: dueMs })
      await inbox.atLeast(2)

      expect(clock.now()).toBeGreaterThanOrEqual(dueMs)
      expect(clock.now()).toBeLessThan(dueMs + 2000)
      await inbox.deliveries[1]!.ack()
    })
  }

  it('parks rows that are no messages', async () => {
    const url = urlOf('postgres')
    const name = uniqueName('garbage')
    const connection = connect(url)
    const channel = await connection.channel()
    await channel.declareQueue(queue(name))
    await channel.declareQueue(queue('celeriac.parked'))
    await channel.purge('celeriac.parked')
    const raw = await client(url)
    await raw.query(
      `INSERT INTO celeriac_messages (queue, priority, redelivered, text)
       VALUES ($1, 0, false, 'no JSON'), ($1, 0, true, '{"body": 1}')`,
      [name],
    )
    await channel.publish([{ exchange: '', routingKey: name, message: message('good') }])
    const inbox = new Inbox()
    await channel.consume(name, { tag: 't' }, inbox.onDeliveries)
    await inbox.atLeast(1)

    expect(inbox.texts).toEqual(['good'])
    await inbox.deliveries[0]!.ack()
    const parked = async () => (await channel.declareQueue(queue('celeriac.parked'))).messages
    await until(async () => (await parked()) === 2, 5000)
    expect(await parked()).toBe(2)
    await channel.purge('celeriac.parked')
  })

  it('keeps every character, and names longer than those of channels', async () => {
    const url = urlOf('postgres')
    const name = `${uniqueName('long')} ${'ß.'.repeat(600)}`
    const connection = connect(url)
    const channel = await connection.channel()
    await channel.declareQueue(queue(name))
    const inbox = new Inbox()
    await channel.consume(name, { tag: 't', noAck: true }, inbox.onDeliveries)
    const headers = { odd: 'a\u0000b\u2028\\u0000\ud800"{},', 'k\u0000': 'v' }
    const body = 'x\u0000y'

    await channel.publish([{ exchange: '', routingKey: name, message: message(body, {}, headers) }])
    await inbox.atLeast(1)

    expect(bodyOf(inbox.deliveries[0]!)).toBe(body)
    expect(inbox.deliveries[0]!.message.headers).toEqual(headers)
    await channel.removeQueue(name)
  })

  it('refuses a name that no text can be, and only that message', async () => {
    const channel = await connect(urlOf('postgres')).channel()

    await expect(
      channel.publish([{ exchange: '', routingKey: 'no\u0000name', message: message('x') }]),
    ).rejects.toMatchObject({ code: 'MESSAGING_PUBLISH_REFUSED', fault: 'message' })
    expect(channel.isOpen).toBe(true)
  })
})

it('says what it can do', async () => {
  const { capabilities } = await transports.postgresql.load()
  expect(capabilities).toMatchObject({ shared: true, delay: true, deadLetters: true })
})
