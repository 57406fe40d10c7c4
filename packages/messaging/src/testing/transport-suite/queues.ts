/** Queues end, fill up and have owners as declared; what a broker cannot do is refused by name. */
import assert from 'node:assert/strict'
import { message } from '../../message/message.ts'
import { queue, type QueueOptions } from '../../topology/queue.ts'
import type { Runner } from '../runner.ts'
import { Inbox, quiet, textOf, withChannel, type TransportHarness } from './harness.ts'

const refused = { code: 'MESSAGING_DECLARATION_REFUSED' }

export function queueTests({ it }: Runner, harness: TransportHarness): void {
  const { capabilities } = harness

  const refuses = (what: string, options: QueueOptions): void => {
    it(
      `refuses a queue with ${what} by name`,
      withChannel(harness, async (channel) => {
        const argument = Object.keys(queue('', options).arguments).at(-1)!
        await assert.rejects(
          channel.declareQueue(queue(harness.unique('refused'), options)),
          (error: Error & { code?: string }) =>
            error.code === 'MESSAGING_NOT_SUPPORTED' && error.message.includes(argument),
        )
      }),
    )
  }

  if (capabilities.messageTtl) {
    it(
      'does not deliver a message whose time is over',
      withChannel(harness, async (channel) => {
        const name = harness.unique('expiring')
        await channel.declareQueue(queue(name))
        const send = (text: string, expirationMs?: number) => ({
          exchange: '',
          routingKey: name,
          message: message(text, expirationMs === undefined ? {} : { expirationMs }),
        })

        await channel.publish([send('short', 50), send('long', 60_000), send('endless')])
        await quiet(200)
        const left = [await channel.get(name), await channel.get(name), await channel.get(name)]

        assert.deepEqual(
          left.map((delivery) => delivery && textOf(delivery)),
          ['long', 'endless', undefined],
        )
        for (const delivery of left) await delivery?.ack()
      }),
    )

    it(
      'does not deliver what waited longer than its queue allows',
      withChannel(harness, async (channel) => {
        const name = harness.unique('short')
        await channel.declareQueue(queue(name, { messageTtlMs: 50 }))

        await channel.publish([{ exchange: '', routingKey: name, message: message('x') }])
        await quiet(200)

        assert.equal(await channel.get(name), undefined)
      }),
    )
  } else refuses('a time to live', { messageTtlMs: 1000 })

  if (capabilities.queueExpiry) {
    it(
      'removes a queue that nobody used for its time, with its messages',
      withChannel(harness, async (channel, connection) => {
        const name = harness.unique('unused')
        await channel.declareQueue(queue(name, { expiresMs: 300 }))
        await channel.publish([{ exchange: '', routingKey: name, message: message('x') }])
        await quiet(1000)

        await assert.rejects(
          (await connection.channel()).declareQueue(queue(name), { passive: true }),
          { code: 'MESSAGING_QUEUE_NOT_FOUND' },
        )
      }),
    )
  } else refuses('an end', { expiresMs: 1000 })

  if (capabilities.maxLength) {
    it(
      'lets the oldest go when a queue is too long',
      withChannel(harness, async (channel) => {
        const name = harness.unique('long')
        await channel.declareQueue(queue(name, { maxLength: 2 }))

        await channel.publish(
          ['a', 'b', 'c'].map((text) => ({
            exchange: '',
            routingKey: name,
            message: message(text),
          })),
        )
        const left = [await channel.get(name), await channel.get(name)]

        assert.deepEqual(
          left.map((delivery) => textOf(delivery!)),
          ['b', 'c'],
        )
        for (const delivery of left) await delivery!.ack()
      }),
    )

    it(
      'refuses the newest instead when the queue says so',
      withChannel(harness, async (channel) => {
        const name = harness.unique('full')
        await channel.declareQueue(queue(name, { maxLength: 1, overflow: 'reject-publish' }))
        const send = { exchange: '', routingKey: name, message: message('x') }
        assert.equal(await channel.publish([send]), undefined)

        const failures = await channel.publish([send])

        assert.equal(failures?.get(0)?.code, 'MESSAGING_PUBLISH_REFUSED')
      }),
    )
  } else refuses('a greatest length', { maxLength: 2 })

  if (capabilities.autoDelete) {
    it(
      'removes a queue with its last consumer',
      withChannel(harness, async (channel, connection) => {
        const name = harness.unique('auto')
        await channel.declareQueue(queue(name, { autoDelete: true }))
        await channel.consume(name, { tag: 'one' }, () => undefined)
        await channel.consume(name, { tag: 'two' }, () => undefined)

        await channel.cancel('one')
        assert.equal((await channel.declareQueue(queue(name), { passive: true })).consumers, 1)
        await channel.cancel('two')

        await assert.rejects(
          (await connection.channel()).declareQueue(queue(name), { passive: true }),
          { code: 'MESSAGING_QUEUE_NOT_FOUND' },
        )
      }),
    )
  }

  if (capabilities.exclusiveQueues) {
    it(
      'keeps an exclusive queue to its connection, and removes it with that',
      withChannel(harness, async (channel) => {
        const name = harness.unique('exclusive')
        const owner = harness.connect()
        try {
          const own = await owner.channel()
          await own.declareQueue(queue(name, { exclusive: true, durable: false }))
          await assert.rejects(
            channel.declareQueue(queue(name, { exclusive: true, durable: false })),
            refused,
          )
        } finally {
          await owner.close()
        }

        const later = harness.connect()
        try {
          await assert.rejects(
            (await later.channel()).declareQueue(queue(name), { passive: true }),
            { code: 'MESSAGING_QUEUE_NOT_FOUND' },
          )
        } finally {
          await later.close()
        }
      }),
    )
  }

  if (capabilities.consumerPriority) {
    it(
      'serves the consumer of higher priority first',
      withChannel(harness, async (channel) => {
        const name = harness.unique('first')
        await channel.declareQueue(queue(name))
        const [low, high] = [new Inbox(), new Inbox()]
        await channel.consume(name, { tag: 'low', priority: 1 }, low.onDeliveries)
        await channel.consume(name, { tag: 'high', priority: 9 }, high.onDeliveries)

        const one = { exchange: '', routingKey: name, message: message('x') }
        await channel.publish([one, one, one, one])
        await high.atLeast(4)

        assert.equal(low.deliveries.length, 0)
      }),
    )
  } else {
    it(
      'refuses a consumer with a priority by name',
      withChannel(harness, async (channel) => {
        const name = harness.unique('priority')
        await channel.declareQueue(queue(name))
        await assert.rejects(
          channel.consume(name, { tag: 't', priority: 5 }, () => undefined),
          {
            code: 'MESSAGING_NOT_SUPPORTED',
          },
        )
      }),
    )
  }

  it(
    'removes a queue only when nobody uses it, if asked to',
    withChannel(harness, async (channel, connection) => {
      const name = harness.unique('used')
      await channel.declareQueue(queue(name))
      await channel.consume(name, { tag: 'user' }, () => undefined)

      const other = await connection.channel()
      await assert.rejects(other.removeQueue(name, { ifUnused: true }), refused)
      await channel.cancel('user')

      assert.equal(await channel.removeQueue(name, { ifUnused: true }), 0)
    }),
  )

  it(
    'removes a queue only when it is empty, if asked to',
    withChannel(harness, async (channel, connection) => {
      const name = harness.unique('full')
      await channel.declareQueue(queue(name))
      await channel.publish([{ exchange: '', routingKey: name, message: message('x') }])

      const other = await connection.channel()
      await assert.rejects(other.removeQueue(name, { ifEmpty: true }), refused)
      assert.equal(await channel.purge(name), 1)

      assert.equal(await channel.removeQueue(name, { ifEmpty: true }), 0)
    }),
  )

  it(
    'refuses an exclusive consumer where there is one already',
    withChannel(harness, async (channel, connection) => {
      const name = harness.unique('alone')
      await channel.declareQueue(queue(name))
      await channel.consume(name, { tag: 'first' }, () => undefined)

      const other = await connection.channel()
      await assert.rejects(
        other.consume(name, { tag: 'second', exclusive: true }, () => undefined),
        refused,
      )
    }),
  )
}
