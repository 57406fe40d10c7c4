// What the suite cannot say for all transports: AMQP's values, refusals of single messages, quorum queues.
import {
  Connection,
  exchange,
  message,
  queue,
  type Channel,
  type Delivery,
  type Headers,
  type Message,
  type Publication,
} from '@celeriac/messaging'
import { Inbox } from '@celeriac/messaging/testing'
import { afterEach, expect, it } from '@jest/globals'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const open: Connection[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

function connect(): Connection {
  const connection = new Connection(urlOf('rabbitmq'))
  open.push(connection)
  return connection
}

async function setup(options: Parameters<typeof queue>[1] = {}) {
  const connection = connect()
  const channel = await connection.channel()
  const name = uniqueName('amqp')
  await channel.declareQueue(queue(name, { expiresMs: 60_000, ...options }))
  const to = (sent: Message): Publication => ({ exchange: '', routingKey: name, message: sent })
  return { connection, channel, name, to }
}

async function getSoon(channel: Channel, name: string): Promise<Delivery> {
  for (let i = 0; i < 100; i++) {
    const delivery = await channel.get(name)
    if (delivery) return delivery
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`nothing arrived in ${name}`)
}

const codes = (failures: ReadonlyMap<number, { code: string }> | undefined) =>
  [...(failures ?? [])].map(([at, { code }]) => [at, code])

describeWith('rabbitmq', 'messages over AMQP', () => {
  it('tells the name and version of the server', async () => {
    const connection = await connect().connect()

    expect(connection.server).toMatch(/^RabbitMQ \d+\.\d+/)
  })

  it('carries every kind of header value', async () => {
    const { channel, name, to } = await setup()
    const when = new Date('2026-11-20T12:00:00Z')
    const headers: Headers = {
      text: 'ü',
      small: 1,
      negative: -70_000,
      large: 2 ** 40,
      fraction: 0.1,
      flag: true,
      none: null,
      gone: undefined,
      big: 2n ** 40n,
      when,
      bytes: Buffer.from([0, 255]),
      list: [1, undefined, [null, 'x'], { y: when }],
      map: { deep: { er: [true] }, gone: undefined },
      odd: { '!': 'timestamp', value: 1 },
      '!': 'top',
    }

    expect(await channel.publish([to(message('x', {}, headers))])).toBeUndefined()
    const { message: back } = await getSoon(channel, name)

    expect({ ...back.headers }).toEqual({
      ...headers,
      big: 2 ** 40,
      list: [1, null, [null, 'x'], { y: when }],
      map: { deep: { er: [true] } },
      // What a peer means by it is a time; our own sender wrote a map.
      odd: new Date(1000),
    })
    expect(Object.keys(back.headers)).not.toContain('gone')
  })

  it('carries every property', async () => {
    const { channel, name, to } = await setup()
    const properties = {
      contentType: 'text/plain',
      contentEncoding: 'utf-8',
      deliveryMode: 1,
      priority: 7,
      correlationId: 'c',
      replyTo: 'r',
      expirationMs: 60_000,
      messageId: 'm',
      timestamp: 1_700_000_000,
      type: 't',
      userId: new URL(urlOf('rabbitmq')).username || 'guest',
      appId: 'a',
    } as const

    await channel.publish([to(message('x', { ...properties, extra: { of: 'no use' } }))])

    expect((await getSoon(channel, name)).message.properties).toEqual(properties)
  })

  it('keeps a message that says nothing of it', async () => {
    const { channel, name, to } = await setup()

    await channel.publish([to(message('x'))])

    expect((await getSoon(channel, name)).message.properties.deliveryMode).toBe(2)
  })

  it('refuses what cannot be written, by its place, and sends the rest', async () => {
    const { channel, name, to } = await setup()
    const odd = (headers: Headers) => to(message('odd', {}, headers))

    const failures = await channel.publish([
      to(message('first')),
      odd({ value: Number.NaN }),
      odd({ value: 2n ** 64n }),
      odd({ value: new Date(Number.NaN) }),
      odd({ long: 'x'.repeat(70_000) }),
      odd({ ['k'.repeat(300)]: 1 }),
      to(message('odd', { correlationId: 'c'.repeat(300) })),
      { exchange: '', routingKey: 'r'.repeat(300), message: message('odd') },
      to(message('last')),
    ])

    expect(codes(failures)).toEqual([
      [1, 'MESSAGING_ENCODE_FAILED'],
      [2, 'MESSAGING_ENCODE_FAILED'],
      [3, 'MESSAGING_ENCODE_FAILED'],
      [4, 'MESSAGING_TOO_LARGE'],
      [5, 'MESSAGING_ENCODE_FAILED'],
      [6, 'MESSAGING_ENCODE_FAILED'],
      [7, 'MESSAGING_ENCODE_FAILED'],
    ])
    expect((await channel.declareQueue(queue(name, { expiresMs: 60_000 }))).messages).toBe(2)
  })

  it('reports what the broker refuses, by its place', async () => {
    const { channel, to } = await setup({
      arguments: { 'x-max-length': 2, 'x-overflow': 'reject-publish' },
    })

    const failures = await channel.publish(['a', 'b', 'c', 'd'].map((text) => to(message(text))))

    expect(codes(failures)).toEqual([
      [2, 'MESSAGING_PUBLISH_REFUSED'],
      [3, 'MESSAGING_PUBLISH_REFUSED'],
    ])
  })

  it('tells apart returned messages that went to one exchange under one key', async () => {
    const { channel, name } = await setup()
    const headers = exchange(uniqueName('headers'), { type: 'headers', autoDelete: true })
    await channel.declareExchange(headers)
    const args = { 'x-match': 'all', colour: 'red' }
    await channel.bind({ exchange: headers.name, queue: name, routingKey: '', arguments: args })
    const send = (colour: string) => ({
      exchange: headers.name,
      routingKey: '',
      message: message('same', {}, { colour }),
      mandatory: true,
    })

    const failures = await channel.publish(['red', 'blue', 'red', 'green', 'blue'].map(send))

    expect(codes(failures)).toEqual([
      [1, 'MESSAGING_UNROUTABLE'],
      [3, 'MESSAGING_UNROUTABLE'],
      [4, 'MESSAGING_UNROUTABLE'],
    ])
  })

  it('refuses a publish to an exchange that is not there, and only that one', async () => {
    const { channel, name, to } = await setup()
    const nowhere = { exchange: uniqueName('none'), routingKey: 'k', message: message('x') }

    const failures = await channel.publish([to(message('a')), nowhere, to(message('b'))])

    expect(codes(failures)).toEqual([[1, 'MESSAGING_PUBLISH_REFUSED']])
    expect(channel.isOpen).toBe(true)
    expect((await channel.declareQueue(queue(name, { expiresMs: 60_000 }))).messages).toBe(2)
  })

  it('settles every publish when an exchange goes while it is in use', async () => {
    const { connection, channel } = await setup()
    const gone = exchange(uniqueName('gone'))
    await channel.declareExchange(gone)
    const producer = connection.producer()
    const publish = () => producer.publish(1, { exchange: gone.name, routingKey: 'k' })
    await publish()

    await (await connect().channel()).removeExchange(gone.name)

    await expect(publish()).rejects.toMatchObject({ code: 'MESSAGING_PUBLISH_REFUSED' })
  })

  it('sends what is dropped to the dead-letter exchange', async () => {
    const dead = await setup()
    const { channel, name, to } = await setup({
      deadLetterExchange: '',
      deadLetterRoutingKey: dead.name,
    })
    await channel.publish([to(message('unwanted'))])

    await (await getSoon(channel, name)).drop()

    const parked = await getSoon(dead.channel, dead.name)
    expect(parked.message.headers['x-death']).toMatchObject([{ reason: 'rejected', queue: name }])
  })

  it('knows of a classic queue that a message was out before, not how often', async () => {
    const { channel, name, to } = await setup()
    await channel.publish([to(message('x'))])
    const first = await getSoon(channel, name)
    await first.requeue()

    const again = await getSoon(channel, name)

    expect([first.origin.attempts, again.origin.attempts]).toEqual([0, 1])
    expect(again.origin.redelivered).toBe(true)
  })
})

describeWith('rabbitmq', 'quorum queues over AMQP', () => {
  const quorum = { arguments: { 'x-queue-type': 'quorum' } }

  it('counts how often a message was out', async () => {
    const { channel, name, to } = await setup(quorum)
    await channel.publish([to(message('x'))])
    const attempts: number[] = []

    for (let i = 0; i < 4; i++) {
      const delivery = await getSoon(channel, name)
      attempts.push(delivery.origin.attempts)
      await delivery.requeue()
    }

    expect(attempts).toEqual([0, 1, 2, 3])
    await channel.removeQueue(name)
  })

  it('keeps one window over consumers of which one is on a quorum queue', async () => {
    const { connection, channel, name, to } = await setup(quorum)
    const classic = uniqueName('classic')
    await channel.declareQueue(queue(classic, { expiresMs: 60_000 }))
    const texts = ['a', 'b', 'c', 'd', 'e']
    await channel.publish(texts.map((text) => to(message(text))))
    await channel.publish(texts.map((text) => ({ ...to(message(text)), routingKey: classic })))
    const inbox = new Inbox()
    const consumer = await connection.channel()
    await consumer.prefetch(3)
    await consumer.consume(classic, { tag: 'classic' }, inbox.onDeliveries)
    await inbox.atLeast(3)
    await consumer.consume(name, { tag: 'quorum' }, inbox.onDeliveries)
    await quiet()
    expect(inbox.deliveries.length).toBe(3)

    await consumer.prefetch(6)
    await inbox.atLeast(6)
    await quiet()
    expect(inbox.deliveries.length).toBe(6)

    for (let i = 0; i < 10; i++) {
      await inbox.atLeast(i + 1)
      await inbox.deliveries[i]!.ack()
    }
    const got = inbox.texts.toSorted()
    expect(got).toEqual([...texts, ...texts].toSorted())
    await consumer.close()
    expect(await channel.removeQueue(name)).toBe(0)
  })

  it('finds a way when the broker refuses a window for a whole channel', async () => {
    const { channel, name, to } = await setup(quorum)
    await channel.publish(['a', 'b', 'c'].map((text) => to(message(text))))
    // Another connection, which does not know what kind of queue it is.
    const connection = new Connection(`${urlOf('rabbitmq')}?frame_max=65536`)
    open.push(connection)
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [name],
      declare: false,
      prefetch: 2,
      onDeliveries: inbox.onDeliveries,
    })

    await consumer.start()
    await inbox.atLeast(2)
    await quiet()

    expect(inbox.deliveries.length).toBe(2)
    await Promise.all(inbox.deliveries.map((delivery) => delivery.ack()))
    await inbox.atLeast(3)
    await inbox.deliveries[2]!.ack()
    await consumer.stop()
    expect(await channel.removeQueue(name)).toBe(0)
  })

  it('gives back what the window held when a consumer is cancelled', async () => {
    const { connection, channel, name, to } = await setup(quorum)
    const other = uniqueName('other')
    await channel.declareQueue(queue(other, quorum))
    for (const routingKey of [name, other])
      await channel.publish(['a', 'b'].map((text) => ({ ...to(message(text)), routingKey })))
    const inbox = new Inbox()
    const consumer = await connection.channel()
    await consumer.declareQueue(queue(name, { ...quorum, expiresMs: 60_000 }))
    await consumer.declareQueue(queue(other, quorum))
    await consumer.prefetch(2)
    await consumer.consume(name, { tag: 'one' }, inbox.onDeliveries)
    await inbox.atLeast(2)
    await consumer.consume(other, { tag: 'two' }, inbox.onDeliveries)
    await quiet()

    await consumer.cancel('two')

    expect((await getSoon(channel, other)).origin.queue).toBe(other)
    expect(inbox.deliveries.length).toBe(2)
    await consumer.close()
    for (const one of [name, other]) await channel.removeQueue(one)
  })
})

async function quiet(ms = 150): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
