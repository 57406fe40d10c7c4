/** Exchanges, queues and bindings mean what AMQP says. */
import assert from 'node:assert/strict'
import { message } from '../../message/message.ts'
import { exchange, type ExchangeType } from '../../topology/exchange.ts'
import { queue } from '../../topology/queue.ts'
import type { Channel } from '../../transport/channel.ts'
import { declareQueue } from '../../transport/declare.ts'
import type { Runner } from '../runner.ts'
import { Inbox, quiet, withChannel, type TransportHarness } from './harness.ts'

const topicCases: readonly [pattern: string, key: string, matches: boolean][] = [
  ['a.b', 'a.b', true],
  ['a.*', 'a.b', true],
  ['a.*', 'a.b.c', false],
  ['a.#', 'a', true],
  ['a.#', 'a.b.c', true],
  ['#', 'anything.at.all', true],
  ['*.b', 'a.b', true],
  ['*.b', 'b', false],
  ['a.#.z', 'a.z', true],
  ['a.#.z', 'a.b.c.z', true],
  ['a-b.*', 'a-b.c', true],
]

export function topologyTests({ it }: Runner, harness: TransportHarness): void {
  const { capabilities } = harness
  const counts = async (channel: Channel, names: readonly string[]): Promise<number[]> =>
    await Promise.all(names.map(async (name) => (await channel.declareQueue(queue(name))).messages))

  it(
    'routes a direct exchange by equal keys, to every queue bound',
    withChannel(harness, async (channel) => {
      const direct = exchange(harness.unique('direct'))
      const [a, b, c] = ['a', 'b', 'c'].map((n) => harness.unique(n)) as [string, string, string]
      const bound = (name: string, routingKey: string) =>
        declareQueue(channel, queue(name, { bindings: [{ exchange: direct, routingKey }] }))
      await bound(a, 'red')
      await bound(b, 'red')
      await bound(c, 'blue')

      await channel.publish([{ exchange: direct.name, routingKey: 'red', message: message('x') }])

      assert.deepEqual(await counts(channel, [a, b, c]), [1, 1, 0])
    }),
  )

  if (capabilities.exchangeTypes.includes('topic')) {
    it(
      'routes a topic exchange as AMQP defines the wildcards',
      withChannel(harness, async (channel) => {
        for (const [pattern, routingKey, matches] of topicCases) {
          const topic = exchange(harness.unique('topic'), { type: 'topic' })
          const name = harness.unique('topic')
          await declareQueue(
            channel,
            queue(name, { bindings: [{ exchange: topic, routingKey: pattern }] }),
          )
          await channel.publish([{ exchange: topic.name, routingKey, message: message('x') }])
          assert.deepEqual(
            await counts(channel, [name]),
            [matches ? 1 : 0],
            `${pattern} and ${routingKey}`,
          )
        }
      }),
    )
  }

  if (capabilities.exchangeTypes.includes('fanout')) {
    it(
      'copies a fanout to every consumer',
      withChannel(harness, async (channel, connection) => {
        const fanout = exchange(harness.unique('fanout'), { type: 'fanout' })
        const boxes = [new Inbox(), new Inbox()]
        for (const box of boxes) {
          const own = await connection.channel()
          const name = await declareQueue(
            own,
            queue(harness.unique('fan'), { bindings: [{ exchange: fanout, routingKey: '' }] }),
          )
          await own.consume(name, { tag: harness.unique('tag'), noAck: true }, box.onDeliveries)
        }

        await channel.declareExchange(fanout)
        await channel.publish([{ exchange: fanout.name, routingKey: '', message: message('x') }])

        for (const box of boxes) assert.equal((await box.atLeast(1)).length, 1)
      }),
    )
  }

  if (capabilities.exchangeTypes.includes('headers')) {
    it(
      'routes a headers exchange by all or any of the arguments',
      withChannel(harness, async (channel) => {
        const headers = exchange(harness.unique('headers'), { type: 'headers' })
        const [all, any] = [harness.unique('all'), harness.unique('any')]
        const bound = (name: string, match: string) =>
          declareQueue(
            channel,
            queue(name, {
              bindings: [
                {
                  exchange: headers,
                  routingKey: '',
                  arguments: { 'x-match': match, colour: 'red', size: 1 },
                },
              ],
            }),
          )
        await bound(all, 'all')
        await bound(any, 'any')
        const send = (values: Record<string, string | number>) =>
          channel.publish([
            { exchange: headers.name, routingKey: '', message: message('x', {}, values) },
          ])

        await send({ colour: 'red', size: 1 })
        await send({ colour: 'red', size: 2 })
        await send({ colour: 'green', size: 2 })

        assert.deepEqual(await counts(channel, [all, any]), [1, 2])
      }),
    )
  }

  for (const type of ['direct', 'topic', 'fanout', 'headers'] as const satisfies ExchangeType[]) {
    if (capabilities.exchangeTypes.includes(type)) continue
    it(
      `refuses a ${type} exchange by name`,
      withChannel(harness, async (channel) => {
        await assert.rejects(channel.declareExchange(exchange(harness.unique('x'), { type })), {
          code: 'MESSAGING_NOT_SUPPORTED',
        })
      }),
    )
  }

  it(
    'stops routing after unbind',
    withChannel(harness, async (channel) => {
      const direct = exchange(harness.unique('unbind'))
      const name = harness.unique('unbind')
      await declareQueue(
        channel,
        queue(name, { bindings: [{ exchange: direct, routingKey: 'k' }] }),
      )

      await channel.unbind({ exchange: direct.name, queue: name, routingKey: 'k', arguments: {} })
      await channel.publish([{ exchange: direct.name, routingKey: 'k', message: message('x') }])

      assert.deepEqual(await counts(channel, [name]), [0])
    }),
  )

  it(
    'purges what waits and says how much',
    withChannel(harness, async (channel) => {
      const name = harness.unique('purge')
      await channel.declareQueue(queue(name))
      const one = { exchange: '', routingKey: name, message: message('x') }
      await channel.publish([one, one, one])

      assert.equal(await channel.purge(name), 3)
      assert.equal(await channel.purge(name), 0)
    }),
  )

  it(
    'removes a queue with its messages',
    withChannel(harness, async (channel) => {
      const name = harness.unique('remove')
      await channel.declareQueue(queue(name))
      await channel.publish([{ exchange: '', routingKey: name, message: message('x') }])

      assert.equal(await channel.removeQueue(name), 1)
      assert.equal((await channel.declareQueue(queue(name))).messages, 0)
    }),
  )

  it('refuses a passive declaration of an unknown queue', async () => {
    const connection = harness.connect()
    try {
      const channel = await connection.channel()
      await assert.rejects(
        channel.declareQueue(queue(harness.unique('unknown')), { passive: true }),
        { code: 'MESSAGING_QUEUE_NOT_FOUND' },
      )
    } finally {
      await connection.close()
    }
  })

  it(
    'names a queue when asked to',
    withChannel(harness, async (channel) => {
      const first = await channel.declareQueue(queue('', { autoDelete: true, durable: false }))
      const second = await channel.declareQueue(queue('', { autoDelete: true, durable: false }))

      assert.notEqual(first.name, '')
      assert.notEqual(first.name, second.name)
      await quiet(0)
    }),
  )
}
