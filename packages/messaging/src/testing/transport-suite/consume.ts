/** Pushing: windows, fairness, cancelling, priorities. */
import assert from 'node:assert/strict'
import { message } from '../../message/message.ts'
import { queue } from '../../topology/queue.ts'
import type { Channel } from '../../transport/channel.ts'
import type { Runner } from '../runner.ts'
import { Inbox, quiet, textOf, withChannel, type TransportHarness } from './harness.ts'

export function consumeTests({ it }: Runner, harness: TransportHarness): void {
  const send = async (channel: Channel, name: string, ...texts: string[]): Promise<void> => {
    await channel.publish(
      texts.map((text) => ({ exchange: '', routingKey: name, message: message(text) })),
    )
  }

  it(
    'delivers what was there and what comes later',
    withChannel(harness, async (channel) => {
      const name = harness.unique('consume')
      await channel.declareQueue(queue(name))
      await send(channel, name, 'before')
      const inbox = new Inbox()
      await channel.consume(name, { tag: harness.unique('tag') }, inbox.onDeliveries)
      await inbox.atLeast(1)

      await quiet()
      await send(channel, name, 'after')
      await inbox.atLeast(2)

      assert.deepEqual(inbox.texts, ['before', 'after'])
      await Promise.all(inbox.deliveries.map((delivery) => delivery.ack()))
    }),
  )

  it(
    'has at most the prefetch unsettled, and goes on as they are settled',
    withChannel(harness, async (channel) => {
      const name = harness.unique('prefetch')
      await channel.declareQueue(queue(name))
      await send(channel, name, ...'abcdefgh'.split(''))
      const inbox = new Inbox()
      await channel.prefetch(3)
      await channel.consume(name, { tag: harness.unique('tag') }, inbox.onDeliveries)
      await inbox.atLeast(3)
      await quiet()
      assert.equal(inbox.deliveries.length, 3)

      await inbox.deliveries[0]!.ack()
      await inbox.atLeast(4)
      await quiet()

      assert.equal(inbox.deliveries.length, 4)
    }),
  )

  it(
    'counts the window over all consumers of a channel',
    withChannel(harness, async (channel) => {
      const names = [harness.unique('window'), harness.unique('window')]
      for (const name of names) {
        await channel.declareQueue(queue(name))
        await send(channel, name, 'a', 'b', 'c')
      }
      const inbox = new Inbox()
      await channel.prefetch(2)
      for (const name of names)
        await channel.consume(name, { tag: harness.unique('tag') }, inbox.onDeliveries)
      await inbox.atLeast(2)
      await quiet()

      assert.equal(inbox.deliveries.length, 2)
    }),
  )

  it(
    'serves several queues, none starves',
    withChannel(harness, async (channel) => {
      const [busy, calm] = [harness.unique('busy'), harness.unique('calm')]
      for (const name of [busy, calm]) await channel.declareQueue(queue(name))
      await send(channel, busy, ...Array.from({ length: 500 }, () => 'busy'))
      await send(channel, calm, 'calm')
      const inbox = new Inbox()
      await channel.prefetch(10)
      for (const name of [busy, calm])
        await channel.consume(name, { tag: harness.unique('tag') }, (deliveries) => {
          inbox.onDeliveries(deliveries)
          for (const delivery of deliveries) void delivery.ack()
        })
      await inbox.atLeast(501)

      assert.ok(inbox.texts.indexOf('calm') < 250, `calm came at ${inbox.texts.indexOf('calm')}`)
    }),
  )

  it(
    'shares a queue between two connections, each message once',
    withChannel(harness, async (channel) => {
      const name = harness.unique('share')
      await channel.declareQueue(queue(name))
      const others = [harness.connect(), harness.connect()]
      const inbox = new Inbox()
      const settled: Promise<void>[] = []
      try {
        for (const other of others) {
          const own = await other.channel()
          await own.prefetch(10)
          await own.consume(name, { tag: harness.unique('tag') }, (deliveries) => {
            inbox.onDeliveries(deliveries)
            settled.push(...deliveries.map((delivery) => delivery.ack()))
          })
        }
        const texts = Array.from({ length: 200 }, (_, i) => String(i))
        await send(channel, name, ...texts)
        await inbox.atLeast(200)
        await quiet()
        await Promise.all(settled)

        assert.deepEqual(
          inbox.texts.toSorted((a, b) => Number(a) - Number(b)),
          texts,
        )
      } finally {
        await Promise.all(others.map((other) => other.close()))
      }
    }),
  )

  it(
    'delivers nothing after cancel, and keeps what comes',
    withChannel(harness, async (channel) => {
      const name = harness.unique('cancel')
      await channel.declareQueue(queue(name))
      const inbox = new Inbox()
      const tag = harness.unique('tag')
      await channel.consume(name, { tag }, inbox.onDeliveries)

      await channel.cancel(tag)
      await send(channel, name, 'late')
      await quiet()

      assert.equal(inbox.deliveries.length, 0)
      assert.equal((await channel.declareQueue(queue(name))).messages, 1)
    }),
  )

  it(
    'needs no acknowledgement from a consumer without one',
    withChannel(harness, async (channel, connection) => {
      const name = harness.unique('noack')
      await channel.declareQueue(queue(name))
      const inbox = new Inbox()
      const consumer = await connection.channel()
      await consumer.prefetch(1)
      await consumer.consume(name, { tag: harness.unique('tag'), noAck: true }, inbox.onDeliveries)
      await send(channel, name, 'a', 'b', 'c')
      await inbox.atLeast(3)

      await consumer.close()
      await quiet()

      assert.ok(inbox.deliveries.every((delivery) => delivery.isSettled))
      assert.equal((await channel.declareQueue(queue(name))).messages, 0)
    }),
  )

  if (harness.capabilities.priority !== 'none') {
    it(
      `serves priorities ${harness.capabilities.priority}`,
      withChannel(harness, async (channel) => {
        const name = harness.unique('priority')
        await channel.declareQueue(queue(name, { maxPriority: 9 }))
        await channel.publish(
          [3, 0, 9, 6].map((priority) => ({
            exchange: '',
            routingKey: name,
            message: message(String(priority), { priority }),
          })),
        )
        const texts: string[] = []
        for (let i = 0; i < 4; i++) {
          const delivery = await channel.get(name)
          texts.push(textOf(delivery!))
          await delivery!.ack()
        }

        const highFirst = ['9', '6', '3', '0']
        assert.deepEqual(
          texts,
          harness.capabilities.priority === 'high-first' ? highFirst : highFirst.toReversed(),
        )
      }),
    )
  } else {
    it(
      'refuses a queue with priorities by name, and keeps its order whatever messages say',
      withChannel(harness, async (channel) => {
        const name = harness.unique('plain')
        await assert.rejects(channel.declareQueue(queue(name, { maxPriority: 9 })), {
          code: 'MESSAGING_NOT_SUPPORTED',
        })
        await channel.declareQueue(queue(name))
        const send = (priority: number) => ({
          exchange: '',
          routingKey: name,
          message: message(String(priority), { priority }),
        })

        await channel.publish([send(1), send(9)])
        const first = await channel.get(name)

        assert.equal(textOf(first!), '1')
      }),
    )
  }
}
