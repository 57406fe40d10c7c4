import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import type { ConnectionOptions } from '../../src/connection/options.ts'
import { MessagingError } from '../../src/kernel/errors.ts'
import { queue } from '../../src/topology/queue.ts'
import type { ConnectOptions, Session, Transport } from '../../src/transport/transport.ts'
import { memory } from '../../src/transports/memory/transport.ts'

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

function connect(urls: string | string[], options: ConnectionOptions = {}): Connection {
  const connection = new Connection(urls, options)
  open.push(connection)
  return connection
}

/** The memory transport behind a door that can be shut, counting who knocks. */
function door(name = 'door') {
  const state = { shut: undefined as MessagingError | undefined, knocks: [] as string[] }
  const transport: Transport = {
    ...memory,
    name,
    async connect(options) {
      state.knocks.push(options.target.host)
      if (state.shut) throw state.shut
      return await memory.connect(options)
    },
  }
  const transports = { door: { load: async () => transport, defaultPort: undefined } }
  return { state, transports }
}
const refused = new MessagingError('MESSAGING_CONNECT_FAILED', 'connection', 'nobody there')
const denied = new MessagingError('MESSAGING_AUTHENTICATION_FAILED', 'fatal', 'go away')

describe('Connection', () => {
  it('connects to nothing before it is needed', () => {
    const { state, transports } = door()
    const connection = connect('door://a', { transports })

    expect(connection.state).toBe('idle')
    expect(state.knocks).toEqual([])
  })

  it('tries each URL once when told to connect, and tells the last error', async () => {
    const { state, transports } = door()
    state.shut = refused
    const connection = connect('door://a;door://b', { transports })

    await expect(connection.connect()).rejects.toBe(refused)
    expect(state.knocks).toEqual(['a', 'b'])
    state.shut = undefined
    await connection.connect()
    expect(connection.state).toBe('connected')
    expect(state.knocks).toEqual(['a', 'b', 'a'])
  })

  it('keeps one link when several callers connected at once, and closes the others', async () => {
    const links: Session[] = []
    const counted: Transport = {
      ...memory,
      async connect(options) {
        const link = await memory.connect(options)
        links.push(link)
        return link
      },
    }
    const transports = { door: { load: async () => counted, defaultPort: undefined } }
    const connection = connect('door://twice', { transports })

    await Promise.all([connection.connect(), connection.connect(), connection.channel()])
    await connection.close()

    expect(links.length).toBeGreaterThan(1)
    await expect(Promise.all(links.map(({ closed }) => closed))).resolves.toBeDefined()
  })

  it('opens one link however many need it at once', async () => {
    const { state, transports } = door()
    const connection = connect('door://a', { transports })

    await Promise.all([connection.channel(), connection.channel(), connection.channel()])

    expect(state.knocks).toEqual(['a'])
  })

  it('goes on knocking while somebody waits, and stops when nobody does', async () => {
    const { state, transports } = door()
    state.shut = refused
    const connection = connect('door://a', { transports })

    await expect(connection.channel(AbortSignal.timeout(300))).rejects.toMatchObject({
      code: 'MESSAGING_TIMEOUT',
    })
    const knocked = state.knocks.length
    expect(knocked).toBeGreaterThan(1)
    await new Promise((resolve) => setTimeout(resolve, 300))

    expect(state.knocks.length).toBeLessThanOrEqual(knocked + 1)
    expect(connection.state).toBe('idle')
  })

  it('gives up at once when it is denied', async () => {
    const { state, transports } = door()
    state.shut = denied
    const connection = connect('door://a', { transports })

    await expect(connection.channel()).rejects.toBe(denied)
    expect(state.knocks).toHaveLength(1)
  })

  it('tells when it connects and when it closes', async () => {
    const { transports } = door()
    const connection = connect('door://user:s3cret@a', { transports })
    const connected = connection.signals.once('connected')
    const closed = connection.signals.once('closed')
    await connection.connect()

    expect(await connected).toEqual({
      url: 'door://user:**@a',
      server: 'memory',
      recovered: false,
      purpose: 'any',
    })
    await connection.close()
    await closed
  })

  it.each([
    [{ hearbeat: 3 }, "unknown connection option 'hearbeat'. Did you mean 'heartbeat'?"],
    [{ heartbeat: -1 }, 'heartbeat must be a number of at least 0, found -1'],
    [{ connectTimeout: '4' }, 'connectTimeout must be a number'],
    [{ failover: 'random' }, "failover must be 'round-robin', 'shuffle' or a function"],
    [{ accept: ['toml'] }, "no serializer 'toml'"],
  ])('refuses the options %j', (options, why) => {
    expect(() => new Connection('memory://x', options as ConnectionOptions)).toThrow(why)
  })
})

describe('a producer', () => {
  it('rejects by its deadline while the broker is away, with the reason', async () => {
    const { state, transports } = door()
    state.shut = refused
    const connection = connect('door://a', { transports, publishTimeout: 0.3 })
    const producer = connection.producer()
    const began = performance.now()

    await expect(producer.publish('x', { routingKey: 'q' })).rejects.toMatchObject({
      code: 'MESSAGING_PUBLISH_TIMEOUT',
      message: expect.stringContaining('300 ms'),
    })
    expect(performance.now() - began).toBeLessThan(1000)
  })

  it('delivers what was waiting when the broker comes back in time', async () => {
    const { state, transports } = door()
    state.shut = refused
    const connection = connect('door://a', { transports })
    const producer = connection.producer()
    const publishing = producer.publish('x', { routingKey: 'waited', serializer: 'text' })
    await new Promise((resolve) => setTimeout(resolve, 100))
    state.shut = undefined
    await publishing

    await connection.withChannel(async (channel) => {
      expect((await channel.declareQueue(queue('waited'))).messages).toBe(1)
      await channel.purge('waited')
    })
  })

  it('refuses more than it may hold', async () => {
    const { state, transports } = door()
    state.shut = refused
    const connection = connect('door://a', { transports, publishBuffer: 2, publishTimeout: 0.2 })
    const producer = connection.producer()
    const three = [1, 2, 3].map((n) => producer.publish(n, { routingKey: 'q' }))
    const codes = (await Promise.allSettled(three)).map(
      (one) => one.status === 'rejected' && (one.reason as MessagingError).code,
    )

    expect(codes).toEqual([
      'MESSAGING_PUBLISH_TIMEOUT',
      'MESSAGING_PUBLISH_TIMEOUT',
      'MESSAGING_PUBLISH_REFUSED',
    ])
  })

  it('names what cannot be encoded', async () => {
    const connection = connect('memory://encode')
    const producer = connection.producer()

    await expect(producer.publish({ a: [() => 1] }, { routingKey: 'q' })).rejects.toMatchObject({
      code: 'MESSAGING_ENCODE_FAILED',
    })
    await expect(producer.publish('x', { routingKey: 'q', serializer: 'jsn' })).rejects.toThrow(
      "Did you mean 'json'?",
    )
  })

  it('finishes what is under way before it closes, and takes nothing after', async () => {
    const connection = connect('memory://closing')
    const producer = connection.producer()
    const publishing = producer.publish(1, { routingKey: 'q' })
    await producer.close()

    await publishing
    await expect(producer.publish(2, { routingKey: 'q' })).rejects.toMatchObject({
      code: 'MESSAGING_CONNECTION_CLOSED',
    })
  })
})

describe('a consumer', () => {
  it('decodes at the first look, and says what is not accepted', async () => {
    const connection = connect('memory://accept', { accept: ['json'] })
    const producer = connection.producer()
    await producer.publish({ a: 1 }, { routingKey: 'q' })
    await producer.publish('plain', { routingKey: 'q', serializer: 'text' })
    const seen: unknown[] = []
    for await (const delivery of connection.consume('q', { limit: 2 })) {
      try {
        seen.push(delivery.value)
      } catch (error) {
        seen.push((error as MessagingError).code)
      }
      await delivery.ack()
    }

    expect(seen).toEqual([{ a: 1 }, 'MESSAGING_CONTENT_DISALLOWED'])
  })

  it('ends a loop by a signal and gives back what was not settled', async () => {
    const connection = connect('memory://loop')
    const producer = connection.producer()
    await Promise.all([1, 2].map((n) => producer.publish(n, { routingKey: 'q' })))
    const stop = new AbortController()
    for await (const _delivery of connection.consume('q', { signal: stop.signal })) stop.abort()

    await connection.withChannel(async (channel) => {
      expect((await channel.declareQueue(queue('q'))).messages).toBe(2)
    })
  })

  it('consumes one queue more and one less while it runs', async () => {
    const connection = connect('memory://queues')
    const producer = connection.producer()
    const seen: unknown[] = []
    let tell: () => void = () => undefined
    const consumer = connection.consumer({
      queues: ['a'],
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) {
          seen.push(delivery.value)
          void delivery.ack()
        }
        tell()
      },
    })
    await consumer.start()
    const arrived = new Promise<void>((resolve) => (tell = resolve))
    await consumer.addQueue('b')
    await producer.publish('to b', { routingKey: 'b' })
    await arrived
    await consumer.removeQueue('a')
    await producer.publish('to a', { routingKey: 'a' })
    await new Promise((resolve) => setTimeout(resolve, 50))

    expect(seen).toEqual(['to b'])
    expect(consumer.queues.map(({ name }) => name)).toEqual(['b'])
    expect(consumer.isReady).toBe(true)
  })

  it('fails to start where the broker refuses what it declares', async () => {
    const connection = connect('memory://refuse')
    const consumer = connection.consumer({
      queues: [queue('q', { deliveryLimit: 3 })],
      onDeliveries: () => undefined,
    })

    await expect(consumer.start()).rejects.toMatchObject({
      code: 'MESSAGING_NOT_SUPPORTED',
      message: expect.stringContaining('x-delivery-limit'),
    })
  })
})

describe('options', () => {
  it('of a transport that it does not know are refused with the nearest name', async () => {
    const connection = connect('sqlite://?synchronos=FULL')

    await expect(connection.connect()).rejects.toMatchObject({
      code: 'MESSAGING_OPTION_INVALID',
      message: expect.stringContaining("'synchronos'"),
    })
    await expect(connection.connect()).rejects.toThrow('synchronous')
  })

  it('of the connection may stand in the URL, and the code wins', async () => {
    const seen: ConnectOptions[] = []
    const load = async (): Promise<Transport> => ({
      name: 'spy',
      capabilities: memory.capabilities,
      connect: (options) => {
        seen.push(options)
        return memory.connect(options)
      },
    })
    const transports = { spy: { load, defaultPort: 99 } }
    const url = 'spy://u:p@host/v?heartbeat=7&connect_timeout=2&client_name=me'
    for (const options of [
      { transports },
      {
        transports,
        heartbeat: 9,
        username: 'other',
        virtualHost: 'w',
        port: 5,
        credentials: () => ({ password: `token ${seen.length}` }),
      },
    ]) {
      const connection = new Connection(url, options)
      open.push(connection)
      await connection.connect()
    }

    expect(seen[0]).toMatchObject({ heartbeatSeconds: 7, timeoutMs: 2000, clientName: 'me' })
    expect(seen[0]!.target).toMatchObject({ username: 'u', password: 'p', path: 'v', port: 99 })
    expect(seen[1]!.heartbeatSeconds).toBe(9)
    expect(seen[1]!.target).toMatchObject({
      username: 'other',
      password: 'token 1',
      path: 'w',
      port: 5,
    })
  })
})

describe('who waits for a link', () => {
  it('is not let down by those who gave up before', async () => {
    let attempts = 0
    const load = async (): Promise<Transport> => ({
      ...memory,
      async connect(options) {
        await new Promise((resolve) => setTimeout(resolve, 60))
        if (++attempts === 1)
          throw new MessagingError('MESSAGING_CONNECT_FAILED', 'connection', 'not yet')
        return await memory.connect(options)
      },
    })
    const connection = connect('m://', { transports: { m: { load, defaultPort: undefined } } })
    await expect(connection.channel(AbortSignal.timeout(20))).rejects.toMatchObject({
      code: 'MESSAGING_TIMEOUT',
    })

    const channel = await connection.channel(AbortSignal.timeout(2000))

    expect([channel.isOpen, attempts]).toEqual([true, 2])
  })
})

describe('credentials', () => {
  it('that nobody gives are not waited for', async () => {
    const connection = connect('memory://no-answer', {
      credentials: () => new Promise(() => undefined),
      connectTimeout: 0.05,
    })

    await expect(connection.connect()).rejects.toMatchObject({
      code: 'MESSAGING_TIMEOUT',
      message: expect.stringContaining('credentials'),
    })
  })
})
