// What a plain AMQP client receives of us against what it received of Python: headers, properties, exchange,
// routing key and body, field by field.
import { connect } from 'amqplib'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { kw, type Celeriac, type SendOptions } from '@celeriac/tasks'
import { quietApp } from '../fixtures/clients.ts'
import { until } from '../fixtures/waiting.ts'
import { comparable, vector } from '../fixtures/vectors.ts'
import { describeWith, startPrivateRabbit, type ControlledServer } from '../services/brokers.ts'

const calls: Readonly<Record<string, readonly [args: unknown[], options?: SendOptions]>> = {
  'amqp-task-simple': [[2, 3]],
  'amqp-task-kwargs': [[kw({ x: 1, y: 2 })]],
  'amqp-task-eta-expires': [[1, 2], { countdown: 30, expires: 60 }],
  'amqp-task-limits-shadow': [
    [1, 2],
    { timeLimit: 60, softTimeLimit: 50.5, shadow: 'nice', ignoreResult: true },
  ],
  'amqp-task-priority': [[1, 2], { priority: 7 }],
}

/** amqplib's names → those of the vectors. */
const propertyNames = {
  contentType: 'content_type',
  contentEncoding: 'content_encoding',
  deliveryMode: 'delivery_mode',
  priority: 'priority',
  correlationId: 'correlation_id',
  replyTo: 'reply_to',
  expiration: 'expiration',
  messageId: 'message_id',
  type: 'type',
  userId: 'user_id',
  appId: 'app_id',
} as const

describeWith('rabbitmq', 'what we write to RabbitMQ', () => {
  let server: ControlledServer
  let app: Celeriac
  let plain: Awaited<ReturnType<typeof connect>>
  let channel: Awaited<ReturnType<typeof plain.createChannel>>

  beforeAll(async () => {
    // Of its own: the vectors speak of the queue `celery`.
    server = await startPrivateRabbit()
    app = quietApp({ broker: server.url })
    plain = await connect(server.url)
    channel = await plain.createChannel()
  })

  afterAll(async () => {
    await app?.close()
    await plain?.close()
    await server?.dispose()
  })

  async function next() {
    const message = await until('it arrives', () => channel.get('celery', { noAck: true }))
    const { headers, ...given } = message.properties as unknown as Record<string, unknown> & {
      headers: Record<string, unknown>
    }
    const properties: Record<string, unknown> = {}
    for (const [ours, theirs] of Object.entries(propertyNames))
      if (given[ours] !== undefined) properties[theirs] = given[ours]
    return {
      exchange: message.fields.exchange,
      routing_key: message.fields.routingKey,
      properties,
      headers,
      body_json: JSON.parse(message.content.toString()) as unknown,
    }
  }

  it.each(Object.keys(calls))('is as %s', async (name) => {
    const [theirs] = vector(name).publishes
    const [args, options = {}] = calls[name]!
    const add = app.remote<(...args: unknown[]) => unknown>('proj.tasks.add')

    await add.applyAsync(args, { ...options, taskId: theirs!.headers['id'] as string })

    const ours = await next()
    const { expiration, ...properties } = ours.properties
    const { expiration: theirExpiration, ...theirProperties } = theirs!.properties
    expect(comparable(ours.headers)).toEqual(comparable(theirs!.headers))
    expect(ours.headers['id']).toBe(theirs!.headers['id'])
    const names = (one: object) => Object.keys(one).toSorted()
    expect(names(properties)).toEqual(names(theirProperties))
    expect((comparable(properties) as { values: object }).values).toEqual(
      (comparable(theirProperties) as { values: object }).values,
    )
    // Milliseconds that are left, and one may have passed.
    expect(Math.abs(Number(expiration ?? 0) - Number(theirExpiration ?? 0))).toBeLessThan(50)
    expect({ exchange: ours.exchange, routingKey: ours.routing_key, body: ours.body_json }).toEqual(
      {
        exchange: theirs!.exchange,
        routingKey: theirs!.routing_key,
        body: theirs!.body_json,
      },
    )
  })

  it('carries own headers as amqp-task-headers-types', async () => {
    const [theirs] = vector('amqp-task-headers-types').publishes
    // Not `bytes` and `when`, which the vector shows in a form of its own.
    const names = ['s', 'e', 't', 'f', 'i', 'neg', 'big', 'fl', 'none', 'list', 'map', 'uni']
    const own = Object.fromEntries(names.map((name) => [name, theirs!.headers[name]]))

    await app.sendTask('proj.tasks.add', [1, 2], { headers: own as never })

    const { headers } = await next()
    expect(Object.fromEntries(names.map((name) => [name, headers[name]]))).toEqual(own)
    expect(typeof headers['retries']).toBe('number')
    expect(headers['timelimit']).toEqual([null, null])
    expect(headers['stamps']).toEqual({})
  })

  it('declares exchange, queue and binding as amqp-task-simple does', async () => {
    await app.sendTask('proj.tasks.add', [1, 2])
    await next()

    // Declaring again with the flags of Python is refused unless they are the same.
    await channel.assertExchange('celery', 'direct', { durable: true, autoDelete: false })
    const { messageCount } = await channel.assertQueue('celery', { durable: true })
    expect(messageCount).toBe(0)
    channel.publish('celery', 'celery', Buffer.from('{"through": "the binding"}'))
    expect((await next()).body_json).toEqual({ through: 'the binding' })
  })
})
