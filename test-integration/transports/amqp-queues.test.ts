// Kinds of queues and consumers that only RabbitMQ has: quorum queues and their limit of deliveries, streams,
// single active consumers, consumers that are cancelled by the broker, exchanges of every type.
import {
  Connection,
  exchange,
  message,
  MessagingError,
  queue,
  silentLogger,
  type ConnectionOptions,
  type Queue,
} from '@celeriac/messaging'
import { Inbox } from '@celeriac/messaging/testing'
import { afterEach, expect, it } from '@jest/globals'
import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../fixtures/waiting.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const open: Connection[] = []
const made: Queue[] = []

function connect(options: ConnectionOptions = {}, url = urlOf('rabbitmq')): Connection {
  const connection = new Connection(url, { ambient: { log: silentLogger }, ...options })
  open.push(connection)
  return connection
}

function mine(...args: Parameters<typeof queue>): Queue {
  const one = queue(uniqueName(args[0]), args[1])
  made.push(one)
  return one
}

const to = (routingKey: string, text: string, headers = {}) => ({
  exchange: '',
  routingKey,
  message: message(text, {}, headers),
})

afterEach(async () => {
  const names = made.splice(0).map(({ name }) => name)
  if (names.length > 0)
    await connect().withChannel(async (channel) => {
      for (const name of names) await channel.removeQueue(name)
    })
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

describeWith('rabbitmq', 'quorum queues', () => {
  it('bury a message that was delivered too often, which attempts have counted', async () => {
    const connection = connect()
    const dead = mine('dead')
    const living = mine('living', {
      type: 'quorum',
      deliveryLimit: 2,
      deadLetterExchange: '',
      deadLetterRoutingKey: dead.name,
    })
    const attempts: number[] = []
    const letters = new Inbox()
    const poisoned = connection.consumer({
      queues: [living],
      onDeliveries: ([delivery]) => {
        attempts.push(delivery!.origin.attempts)
        delivery!.requeue().catch(() => undefined)
      },
    })
    const graveyard = connection.consumer({ queues: [dead], onDeliveries: letters.onDeliveries })
    await graveyard.start()
    await poisoned.start()

    await connection.producer().publish('poison', { routingKey: living.name })
    const [letter] = await letters.atLeast(1)

    expect(attempts).toEqual([0, 1, 2])
    expect(letter!.value).toBe('poison')
    expect(letter!.message.headers['x-death']).toMatchObject([
      { reason: 'delivery_limit', queue: living.name },
    ])
    await letter!.ack()
    await poisoned.stop()
    await graveyard.stop()
  })

  it('count what a lost link gave back', async () => {
    const connection = connect()
    const one = mine('lost', { type: 'quorum' })
    const channel = await connection.channel()
    await channel.declareQueue(one)
    await channel.publish([to(one.name, 'x')])
    const attempts: number[] = []
    for (let i = 0; i < 3; i++) {
      const holder = await connect().channel()
      const inbox = new Inbox()
      await holder.consume(one.name, { tag: 't' }, inbox.onDeliveries)
      attempts.push((await inbox.atLeast(1))[0]!.origin.attempts)
      await holder.close()
    }

    expect(attempts).toEqual([0, 1, 2])
  })

  it('follow a window that changes while they are consumed', async () => {
    const connection = connect()
    const one = mine('window', { type: 'quorum' })
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [one],
      prefetch: 2,
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()
    await connection.producer().sendMany(
      Array.from({ length: 40 }, (_, i) => i),
      { routingKey: one.name },
    )
    const settled = async (count: number): Promise<number> => {
      await inbox.atLeast(count)
      await pause(150)
      return inbox.deliveries.length
    }
    expect(await settled(2)).toBe(2)

    await consumer.setPrefetch(5)
    expect(await settled(5)).toBe(5)
    await consumer.setPrefetch(1)
    for (const delivery of inbox.deliveries.slice(0, 4)) await delivery.ack()
    expect(await settled(5)).toBe(5)
    await inbox.deliveries[4]!.ack()
    expect(await settled(6)).toBe(6)
    await consumer.setPrefetch(0)
    expect(await settled(40)).toBe(40)

    for (const delivery of inbox.deliveries.slice(5)) await delivery.ack()
    expect(inbox.deliveries.map(({ value }) => value)).toEqual(
      Array.from({ length: 40 }, (_, i) => i),
    )
    await consumer.stop()
    await connection.withChannel(async (channel) => {
      expect((await channel.declareQueue(one)).messages).toBe(0)
    })
  })
})

describeWith('rabbitmq', 'streams', () => {
  it('are read from where a consumer says, by each from its own place', async () => {
    const connection = connect()
    const log = mine('stream', { type: 'stream' })
    await connection.withChannel((channel) => channel.declareQueue(log))
    const report = await connection.producer().sendMany([1, 2, 3, 4, 5], { routingKey: log.name })
    expect(report.failures.size).toBe(0)
    const read = async (offset: string | number, count: number): Promise<unknown[]> => {
      const inbox = new Inbox()
      const consumer = connection.consumer({
        queues: [log],
        prefetch: 2,
        arguments: { 'x-stream-offset': offset },
        onDeliveries: inbox.onDeliveries,
      })
      await consumer.start()
      for (let i = 0; i < count; i++) await (await inbox.atLeast(i + 1))[i]!.ack()
      await consumer.stop()
      return inbox.deliveries.map(({ value }) => value)
    }

    expect(await read('first', 5)).toEqual([1, 2, 3, 4, 5])
    expect(await read(3, 2)).toEqual([4, 5])
    expect(await read('first', 5)).toEqual([1, 2, 3, 4, 5])
  })

  it('refuse what they cannot, and no link is lost over it', async () => {
    const connection = connect()
    const log = mine('stream', { type: 'stream' })
    await connection.withChannel((channel) => channel.declareQueue(log))

    const get = connection.withChannel((channel) => channel.get(log.name))
    await expect(get).rejects.toMatchObject({ code: 'MESSAGING_NOT_SUPPORTED' })
    const boundless = connection.consumer({
      queues: [log],
      prefetch: 0,
      onDeliveries: () => undefined,
    })
    await expect(boundless.start()).rejects.toMatchObject({ code: 'MESSAGING_DECLARATION_REFUSED' })
    expect(connection.counts.reconnected).toBe(0)
  })
})

describeWith('rabbitmq', 'consumers of RabbitMQ', () => {
  it('of a single active one take over when it goes', async () => {
    const one = mine('single', { singleActiveConsumer: true })
    const start = async () => {
      const connection = connect()
      const inbox = new Inbox()
      await connection.consumer({ queues: [one], onDeliveries: inbox.onDeliveries }).start()
      return { connection, inbox }
    }
    const first = await start()
    const second = await start()
    const producer = connect().producer()
    const send = (value: number) => producer.publish(value, { routingKey: one.name })

    await send(1)
    await first.inbox.atLeast(1)
    await send(2)
    await first.inbox.atLeast(2)
    expect(second.inbox.deliveries).toEqual([])
    await first.inbox.deliveries[0]!.ack()
    await first.connection.close()
    await second.inbox.atLeast(1)

    expect(second.inbox.deliveries.map(({ value }) => value)).toEqual([2])
    await second.inbox.deliveries[0]!.ack()
  })

  it('that want to be alone wait until they are, once they have been', async () => {
    const one = mine('alone')
    const connection = connect()
    const inbox = new Inbox()
    const alone = connection.consumer({
      queues: [one],
      exclusive: true,
      onDeliveries: inbox.onDeliveries,
    })
    await alone.start()

    const other = connect().consumer({ queues: [one], onDeliveries: () => undefined })
    await expect(other.start()).rejects.toMatchObject({ code: 'MESSAGING_DECLARATION_REFUSED' })
    await connection.producer().publish('x', { routingKey: one.name })
    await inbox.atLeast(1)
    await inbox.deliveries[0]!.ack()
  })

  it('consume a queue again that was removed under them, with its bindings, ten times', async () => {
    const connection = connect()
    const from = exchange(uniqueName('ex'), { type: 'topic', autoDelete: true })
    const one = mine('removed', { bindings: [{ exchange: from, routingKey: 'a.#' }] })
    const inbox = new Inbox()
    const consumer = connection.consumer({ queues: [one], onDeliveries: inbox.onDeliveries })
    await consumer.start()
    const other = connect()
    const producer = connection.producer({ exchange: from })

    for (let round = 1; round <= 10; round++) {
      const ready = consumer.signals.once('ready', AbortSignal.timeout(5000))
      await other.withChannel((channel) => channel.removeQueue(one.name))
      await ready
      await producer.publish(round, { routingKey: 'a.b' })
      await (await inbox.atLeast(round))[round - 1]!.ack()
    }

    expect(inbox.deliveries.map(({ value }) => value)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(connection.counts.reconnected).toBe(0)
    await consumer.stop()
  })

  it('are not kept waiting by what was fetched one by one on their channel', async () => {
    for (const type of ['classic', 'quorum'] as const) {
      const one = mine('fetched', { type })
      const channel = await connect().channel()
      await channel.declareQueue(one)
      await channel.publish(['a', 'b', 'c', 'd'].map((text) => to(one.name, text)))
      const held = [await channel.get(one.name), await channel.get(one.name)]
      const inbox = new Inbox()
      await channel.prefetch(1)
      await channel.consume(one.name, { tag: 't' }, inbox.onDeliveries)

      await inbox.atLeast(1)
      await pause(100)
      expect(inbox.texts).toEqual(['c'])
      await held[0]!.ack()
      await pause(100)
      expect(inbox.texts).toEqual(['c'])
      await inbox.deliveries[0]!.ack()
      await inbox.atLeast(2)
      await inbox.deliveries[1]!.ack()
      await held[1]!.ack()
      expect((await channel.declareQueue(one)).messages).toBe(0)
    }
  })

  it('get a name for their queue of the broker, a new one for each link', async () => {
    const connection = connect()
    const fan = exchange(uniqueName('fan'), { type: 'fanout', autoDelete: true })
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [queue('', { exclusive: true, bindings: [{ exchange: fan }] })],
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()

    await connection.producer({ exchange: fan }).publish('x')
    await inbox.atLeast(1)

    expect(inbox.deliveries[0]!.origin.queue).toMatch(/^amq\.gen-/)
    await inbox.deliveries[0]!.ack()
    await consumer.stop()
  })
})

describeWith('rabbitmq', 'exchanges of RabbitMQ', () => {
  it('hand on what no binding takes', async () => {
    const connection = connect()
    const channel = await connection.channel()
    const [spare, main] = [uniqueName('spare'), uniqueName('main')]
    const rest = mine('rest')
    await channel.declareExchange(exchange(spare, { type: 'fanout' }))
    await channel.declareExchange(exchange(main, { type: 'direct', alternateExchange: spare }))
    await channel.declareQueue(rest)
    await channel.bind({ exchange: spare, queue: rest.name, routingKey: '', arguments: {} })

    const failures = await channel.publish([
      { exchange: main, routingKey: 'nobody', message: message('x'), mandatory: true },
    ])

    expect(failures).toBeUndefined()
    expect((await channel.get(rest.name))?.origin).toMatchObject({ routingKey: 'nobody' })
    for (const name of [main, spare]) await channel.removeExchange(name)
  })

  it('match headers in each of the ways RabbitMQ knows', async () => {
    const connection = connect()
    const channel = await connection.channel()
    const headers = exchange(uniqueName('headers'), { type: 'headers', autoDelete: true })
    await channel.declareExchange(headers)
    const cases: [string, object, object, boolean][] = [
      ['all', { a: 1, b: 'x' }, { a: 1, b: 'x', c: 0 }, true],
      ['all', { a: 1, b: 'x' }, { a: 1 }, false],
      ['any', { a: 1, b: 'x' }, { b: 'x' }, true],
      ['any', { a: 1, b: 'x' }, { a: 2, b: 'y' }, false],
      ['all-with-x', { 'x-a': 1 }, { 'x-a': 1 }, true],
      ['all-with-x', { 'x-a': 1 }, { 'x-a': 2 }, false],
      ['any-with-x', { 'x-a': 1, b: 2 }, { 'x-a': 1, b: 3 }, true],
      ['any-with-x', { 'x-a': 1, b: 2 }, { 'x-a': 2, b: 3 }, false],
    ]
    for (const [match, bound, sent, isTaken] of cases) {
      const one = queue(uniqueName('matched'), { expiresMs: 60_000 })
      await channel.declareQueue(one)
      const args = { 'x-match': match, ...bound }
      const binding = { exchange: headers.name, queue: one.name, routingKey: '', arguments: args }
      await channel.bind(binding)

      const failures = await channel.publish([
        {
          exchange: headers.name,
          routingKey: '',
          message: message('x', {}, { ...sent }),
          mandatory: true,
        },
      ])

      expect([match, bound, sent, failures === undefined]).toEqual([match, bound, sent, isTaken])
      const keeper = mine('keeper')
      await channel.declareQueue(keeper)
      await channel.bind({
        ...binding,
        queue: keeper.name,
        arguments: { 'x-match': 'all', keep: 1 },
      })
      await channel.unbind(binding)
      await channel.removeQueue(one.name)
    }
  })

  it('of a plug-in are refused by a broker without it, in its words', async () => {
    const connection = connect()
    const declare = connection.withChannel((channel) =>
      channel.declareExchange(exchange(uniqueName('hash'), { type: 'x-consistent-hash' })),
    )
    const error: unknown = await declare.catch((thrown: unknown) => thrown)

    expect(MessagingError.is(error)).toBe(true)
    expect(error).toMatchObject({
      code: 'MESSAGING_DECLARATION_REFUSED',
      message: expect.stringMatching(/x-consistent-hash/) as unknown,
    })
    await until('other channels can be had', () => connection.withChannel(async () => true))
  })
})

describeWith('rabbitmq', 'options of a link to RabbitMQ', () => {
  it.each([
    'login_method=AMQPLAIN',
    'login_method=PLAIN',
    'heartbeat=0',
    'read_timeout=5&write_timeout=5&confirm_publish=true',
    'frame_max=4096',
    'channel_max=1',
    'max_retries=3&interval_start=0&interval_step=2&interval_max=30',
    'no_delay=false&keep_alive=true',
  ])('take %s', async (words) => {
    const connection = connect({}, `${urlOf('rabbitmq')}?${words}`)
    const one = mine('options')
    const body = 'x'.repeat(20_000)

    await connection.withChannel((channel) => channel.declareQueue(one))
    await connection.producer().publish(body, { routingKey: one.name })

    await connection.withChannel(async (channel) => {
      const delivery = await channel.get(one.name)
      expect(delivery!.message.body).toHaveLength(body.length + 2)
      await delivery!.ack()
    })
  })

  it('refuse what they do not know, and a way to log in that the broker has not', async () => {
    const code = (words: string) =>
      connect({}, `${urlOf('rabbitmq')}?${words}`)
        .connect()
        .then(
          () => 'connected',
          (error: unknown) => (error as MessagingError).code,
        )

    expect(await code('login_method=KERBEROS')).toBe('MESSAGING_OPTION_INVALID')
    expect(await code('login_method=EXTERNAL')).toBe('MESSAGING_AUTHENTICATION_FAILED')
    expect(await code('frame_max=big')).toBe('MESSAGING_OPTION_INVALID')
    expect(await code('read_timeout=-1')).toBe('MESSAGING_OPTION_INVALID')
    expect(await code('colour=red')).toBe('MESSAGING_OPTION_INVALID')
  })
})
