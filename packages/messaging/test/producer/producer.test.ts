import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import { MessagingError } from '../../src/kernel/errors.ts'
import type { HeaderValue } from '../../src/message/message.ts'
import { exchange } from '../../src/topology/exchange.ts'
import { queue } from '../../src/topology/queue.ts'
import type { Publication, PublishFailures } from '../../src/transport/channel.ts'
import { declareQueue } from '../../src/transport/declare.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { memory } from '../../src/transports/memory/transport.ts'

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

function connect(name: string): Connection {
  const connection = new Connection(`memory://${name}`, { publishTimeout: 2 })
  open.push(connection)
  return connection
}

describe('publishes that leave together', () => {
  it('fail one by one when what they declare is refused, and at once', async () => {
    const connection = connect('refused-declaration')
    const channel = await connection.channel()
    await channel.declareExchange(exchange('taken', { type: 'direct' }))
    const producer = connection.producer()

    const [bad, good] = await Promise.allSettled([
      producer.publish(1, { exchange: exchange('taken', { type: 'fanout' }), routingKey: 'a' }),
      producer.publish(2, { routingKey: 'b' }),
    ])

    expect(bad).toMatchObject({ reason: { code: 'MESSAGING_DECLARATION_REFUSED' } })
    expect(good.status).toBe('fulfilled')
    expect(await channel.get('b')).toBeDefined()
  })

  it('fail one by one when the headers of one cannot be carried', async () => {
    const connection = connect('bad-headers')
    const producer = connection.producer()
    const endless: Record<string, HeaderValue> = {}
    endless['self'] = endless

    const [bad, good] = await Promise.allSettled([
      producer.publish(1, { routingKey: 'a', headers: { endless } }),
      producer.publish(2, { routingKey: 'b' }),
    ])

    expect(bad).toMatchObject({ reason: { code: 'MESSAGING_ENCODE_FAILED' } })
    expect(good.status).toBe('fulfilled')
  })
})

describe('publishes whose codec must be loaded first', () => {
  it('are sent before the producer closes', async () => {
    const connection = connect('lazy-publish')
    const channel = await connection.channel()
    await channel.declareQueue(queue('lazy'))
    const producer = connection.producer({ serializer: 'yaml', compression: 'bzip2' })

    const published = producer.publish({ a: 1 }, { routingKey: 'lazy' })
    await producer.close()
    await published

    const delivery = await channel.get('lazy')
    expect(delivery?.message.properties.contentType).toBe('application/x-yaml')
    expect(delivery?.message.headers['compression']).toBe('application/x-bz2')
  })
})

/** A transport whose links break as the test says, over the memory one. */
function breaking(
  name: string,
  publish: (batch: readonly Publication[]) => PublishFailures | Error,
) {
  const load = async (): Promise<Transport> => ({
    ...memory,
    async connect(options) {
      const session = await memory.connect({
        ...options,
        target: { ...options.target, host: name },
      })
      return {
        server: session.server,
        closed: session.closed,
        close: () => session.close(),
        async openChannel() {
          const channel = await session.openChannel()
          const stored = channel.publish.bind(channel)
          channel.publish = async (batch) => {
            const outcome = publish(batch)
            if (outcome instanceof Error) throw outcome
            const kept = batch.filter((_, i) => !outcome?.has(i))
            await stored(kept)
            return outcome
          }
          return channel
        },
      }
    },
  })
  const connection = new Connection('breaking://', {
    publishTimeout: 2,
    transports: { breaking: { load, defaultPort: undefined } },
  })
  open.push(connection)
  return connection
}

const cut = new MessagingError('MESSAGING_CONNECTION_LOST', 'connection', 'the cable was pulled')

describe('many sends', () => {
  it('are reported one by one: what cannot be encoded or is refused, and what is stored', async () => {
    const connection = connect('send-many')
    const channel = await connection.channel()
    await channel.declareQueue(queue('full', { maxLength: 2, overflow: 'reject-publish' }))
    const producer = connection.producer({ routingKey: 'full' })
    const endless: unknown[] = []
    endless.push(endless)

    const report = await producer.sendMany(['a', endless, 'b', 'c'])

    expect(report.confirmed).toBe(2)
    expect([...report.failures].map(([i, { code }]) => [i, code])).toEqual([
      [1, 'MESSAGING_ENCODE_FAILED'],
      [3, 'MESSAGING_PUBLISH_REFUSED'],
    ])
    expect((await channel.declareQueue(queue('full'), { passive: true })).messages).toBe(2)
  })

  it('that a broken link left in the dark are sent again, and nothing else is', async () => {
    let cuts = 0
    const connection = breaking('again', (batch) =>
      cuts++ === 0 ? new Map(batch.slice(2).map((_, i) => [i + 2, cut])) : undefined,
    )
    const producer = connection.producer({ routingKey: 'again' })

    const report = await producer.sendMany([0, 1, 2, 3])

    expect(report).toEqual({ confirmed: 4, failures: new Map() })
    const channel = await connection.channel()
    expect((await channel.declareQueue(queue('again'))).messages).toBe(4)
  })

  it('without retry are reported as they stood when the link broke', async () => {
    const connection = breaking(
      'once',
      (batch) => new Map(batch.slice(1).map((_, i) => [i + 1, cut])),
    )
    const producer = connection.producer({ routingKey: 'once' })

    const { confirmed, failures } = await producer.sendMany([0, 1, 2], { retry: false })

    expect(confirmed).toBe(1)
    expect([...failures.keys()]).toEqual([1, 2])
    expect(failures.get(1)).toMatchObject({ code: 'MESSAGING_CONNECTION_LOST', fault: 'message' })
    await expect(producer.publish(0, { retry: false })).resolves.toBeUndefined()
  })

  it('report a deadline for what nobody confirmed in time', async () => {
    const connection = breaking('never', () => cut)
    const producer = connection.producer({ routingKey: 'never' })

    const { confirmed, failures } = await producer.sendMany([0, 1], { timeout: 0.1 })

    expect(confirmed).toBe(0)
    expect(failures.get(1)).toMatchObject({
      code: 'MESSAGING_PUBLISH_TIMEOUT',
      message: expect.stringContaining('the cable was pulled'),
    })
  })

  it('are as many as may wait at once, whatever else is on its way', async () => {
    const connection = new Connection('memory://small-buffer', { publishBuffer: 10 })
    open.push(connection)
    const producer = connection.producer({ routingKey: 'q' })

    expect(await producer.sendMany(Array.from({ length: 25 }, (_, i) => i))).toMatchObject({
      confirmed: 25,
    })
  })

  it('are reported also when there is no room for the rest', async () => {
    const connection = new Connection('memory://no-room', { publishBuffer: 10 })
    open.push(connection)
    const producer = connection.producer({ routingKey: 'q' })
    const values = function* () {
      for (let i = 0; i < 15; i++) {
        // While the second chunk is put together.
        if (i === 12) for (let j = 0; j < 8; j++) void producer.publish(j)
        yield i
      }
    }

    const { confirmed, failures } = await producer.sendMany(values())

    expect([confirmed, [...failures.keys()]]).toEqual([10, [10, 11, 12, 13, 14]])
    expect(failures.get(10)).toMatchObject({ code: 'MESSAGING_PUBLISH_REFUSED' })
  })

  it('without retry wait for a link as others do: nothing is in the dark before', async () => {
    let refusals = 2
    const load = async (): Promise<Transport> => ({
      ...memory,
      async connect(options) {
        const session = await memory.connect(options)
        const openChannel = session.openChannel.bind(session)
        session.openChannel = async () => {
          if (refusals-- > 0) throw cut
          return await openChannel()
        }
        return session
      },
    })
    const transports = { m: { load, defaultPort: undefined } }
    const connection = new Connection('m://', { transports, publishTimeout: 2 })
    open.push(connection)
    const producer = connection.producer({ routingKey: 'q' })

    await expect(producer.publish(1, { retry: false })).resolves.toBeUndefined()
  })

  it('of more than one chunk keep their places and their order', async () => {
    const connection = connect('chunks')
    const producer = connection.producer({ routingKey: 'chunks' })
    const values = Array.from({ length: 2500 }, (_, i) => (i === 2100 ? () => i : i))

    const report = await producer.sendMany(values)

    expect(report.confirmed).toBe(2499)
    expect([...report.failures.keys()]).toEqual([2100])
    const seen: unknown[] = []
    for await (const delivery of connection.consume('chunks', { limit: 2499 })) {
      seen.push(delivery.value)
      await delivery.ack()
    }
    expect(seen).toEqual(values.filter((value) => typeof value === 'number'))
  })
})

describe('a publish', () => {
  it('carries bytes and texts as they are under a content type', async () => {
    const connection = connect('content-type')
    const channel = await connection.channel()
    const producer = connection.producer({ routingKey: 'typed' })

    await producer.publish('<a/>', { contentType: 'text/xml' })
    await producer.publish(Uint8Array.of(1, 2), { contentType: 'image/png' })

    const [text, bytes] = [await channel.get('typed'), await channel.get('typed')]
    expect(text!.message.properties).toMatchObject({
      contentType: 'text/xml',
      contentEncoding: 'utf-8',
    })
    expect(Buffer.from(text!.message.body).toString()).toBe('<a/>')
    expect(bytes!.message.properties).toMatchObject({
      contentType: 'image/png',
      contentEncoding: 'binary',
    })
    expect([...bytes!.message.body]).toEqual([1, 2])
  })

  it('is transient when it or its exchange says so', async () => {
    const connection = connect('delivery-mode')
    const channel = await connection.channel()
    const passing = exchange('passing', { type: 'fanout', deliveryMode: 1 })
    await declareQueue(channel, queue('modes', { bindings: [{ exchange: passing }] }))
    const producer = connection.producer({ exchange: passing })

    await producer.publish(1)
    await producer.publish(2, { deliveryMode: 'persistent' })

    expect((await channel.get('modes'))!.message.properties.deliveryMode).toBe(1)
    expect((await channel.get('modes'))!.message.properties.deliveryMode).toBe(2)
  })
})
