// Priorities with one meaning on Redis and RabbitMQ: 9 is urgent on both, whoever publishes here.
import { Connection, queue } from '@celeriac/messaging'
import { afterEach, expect, it } from '@jest/globals'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

describeWith(['redis', 'rabbitmq'], 'one meaning of priorities', () => {
  it.each([
    ['redis', { priorityOrder: 'high-first', prioritySteps: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }],
    ['rabbitmq', {}],
  ] as const)('on %s the order is strict in a queue, high numbers first', async (name, options) => {
    const connection = new Connection(urlOf(name), { transportOptions: options })
    open.push(connection)
    const target = queue(uniqueName('priorities'), { maxPriority: 9 })
    const producer = connection.producer({ routingKey: target.name })
    const priorities = Array.from({ length: 200 }, (_, i) => (i * 7) % 10)
    await producer.publish('plain', { declare: [target] })
    for (const priority of priorities) void producer.publish('x', { priority, declare: [target] })
    await producer.close()

    const seen: (number | undefined)[] = []
    for await (const { message, ...delivery } of readAll(connection, target.name)) {
      seen.push(message.properties.priority)
      await delivery.ack()
    }

    expect(seen.length).toBe(201)
    expect(seen.map((priority) => priority ?? 0)).toEqual(
      [...priorities, 0].toSorted((a, b) => b - a),
    )
  })

  it('is refused when it is misspelt', async () => {
    const connection = new Connection(urlOf('redis'), {
      transportOptions: { priorityOrder: 'urgent' },
    })
    open.push(connection)

    await expect(connection.connect()).rejects.toMatchObject({ code: 'MESSAGING_OPTION_INVALID' })
  })
})

/** One by one, so that nothing is fetched ahead of something more urgent. */
async function* readAll(connection: Connection, name: string) {
  const channel = await connection.channel()
  for (;;) {
    const delivery = await channel.get(name)
    if (!delivery) return
    yield { message: delivery.message, ack: () => delivery.ack() }
  }
}
