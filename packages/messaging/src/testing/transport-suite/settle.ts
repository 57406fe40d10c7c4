/** Acknowledging, giving back, and what happens to messages whose consumer is gone. */
import assert from 'node:assert/strict'
import { message } from '../../message/message.ts'
import { queue } from '../../topology/queue.ts'
import type { Channel } from '../../transport/channel.ts'
import type { Runner } from '../runner.ts'
import { Inbox, quiet, textOf, withChannel, type TransportHarness } from './harness.ts'

export function settleTests({ it }: Runner, harness: TransportHarness): void {
  const filled = async (channel: Channel, ...texts: string[]): Promise<string> => {
    const name = harness.unique('settle')
    await channel.declareQueue(queue(name))
    await channel.publish(
      texts.map((text) => ({ exchange: '', routingKey: name, message: message(text) })),
    )
    return name
  }

  it(
    'removes a message once it is acknowledged',
    withChannel(harness, async (channel, connection) => {
      const name = await filled(channel, 'a')
      const delivery = await channel.get(name)

      await delivery!.ack()
      await channel.close()

      const other = await connection.channel()
      assert.equal(await other.get(name), undefined)
    }),
  )

  it(
    'hides a message that is out from everyone else',
    withChannel(harness, async (channel) => {
      const name = await filled(channel, 'a')
      const delivery = await channel.get(name)
      const other = harness.connect()

      try {
        assert.equal(await (await other.channel()).get(name), undefined)
      } finally {
        await other.close()
      }
      await delivery!.ack()
    }),
  )

  it(
    'hands a requeued message out again, marked as redelivered',
    withChannel(harness, async (channel) => {
      const name = await filled(channel, 'a')
      const first = await channel.get(name)

      await first!.requeue()
      const again = await getSoon(channel, name)

      assert.equal(textOf(again), 'a')
      assert.equal(again.origin.redelivered, true)
      await again.ack()
    }),
  )

  it(
    'forgets a dropped message',
    withChannel(harness, async (channel, connection) => {
      const name = await filled(channel, 'a')
      const delivery = await channel.get(name)

      await delivery!.drop()
      await channel.close()

      assert.equal(await (await connection.channel()).get(name), undefined)
    }),
  )

  it(
    'refuses to settle twice',
    withChannel(harness, async (channel) => {
      const name = await filled(channel, 'a')
      const delivery = await channel.get(name)
      await delivery!.ack()

      await assert.rejects(delivery!.ack(), { code: 'MESSAGING_ALREADY_SETTLED' })
    }),
  )

  it(
    'gives back what a closed channel had not settled, in its old order',
    withChannel(harness, async (channel, connection) => {
      const name = await filled(channel, 'a', 'b', 'c')
      const inbox = new Inbox()
      const consumer = await connection.channel()
      await consumer.prefetch(2)
      await consumer.consume(name, { tag: harness.unique('tag') }, inbox.onDeliveries)
      await inbox.atLeast(2)

      await consumer.close()

      const texts: string[] = []
      for (let i = 0; i < 3; i++) {
        const delivery = await getSoon(channel, name)
        texts.push(textOf(delivery))
        await delivery.ack()
      }
      assert.deepEqual(texts, ['a', 'b', 'c'])
    }),
  )

  it(
    'recovers what is out on one channel and leaves the other alone',
    withChannel(harness, async (channel, connection) => {
      const name = await filled(channel, 'a', 'b')
      const other = await connection.channel()
      const mine = await channel.get(name)
      const theirs = await other.get(name)

      await channel.recover()
      const again = await getSoon(other, name)

      assert.equal(textOf(again), textOf(mine!))
      await Promise.all([again.ack(), theirs!.ack()])
      await quiet()
      assert.equal((await other.declareQueue(queue(name))).messages, 0)
    }),
  )

  it(
    'settles as nothing what belongs to a closed channel',
    withChannel(harness, async (channel, connection) => {
      const name = await filled(channel, 'a')
      const delivery = await channel.get(name)
      await channel.close()

      await delivery!.ack()

      const other = await connection.channel()
      const again = await getSoon(other, name)
      assert.equal(textOf(again), 'a')
      await again.ack()
    }),
  )

  it(
    'acknowledges many in any order',
    withChannel(harness, async (channel, connection) => {
      const texts = Array.from({ length: 100 }, (_, i) => String(i))
      const name = await filled(channel, ...texts)
      const inbox = new Inbox()
      const consumer = await connection.channel()
      await consumer.consume(name, { tag: harness.unique('tag') }, inbox.onDeliveries)
      await inbox.atLeast(100)

      const shuffled = inbox.deliveries.toSorted((a, b) => (textOf(a) > textOf(b) ? -1 : 1))
      const [kept, ...settled] = shuffled
      await Promise.all(settled.map((delivery) => delivery.ack()))
      await consumer.close()

      const left = await getSoon(channel, name)
      assert.equal(textOf(left), textOf(kept!))
      assert.equal(await channel.get(name), undefined)
      await left.ack()
    }),
  )

  if (harness.capabilities.delay) {
    it(
      'holds a delayed message until its time, and never hands it out before',
      withChannel(harness, async (channel, connection) => {
        const name = await filled(channel, 'late')
        const inbox = new Inbox()
        const consumer = await connection.channel()
        const delivery = await channel.get(name)
        await consumer.consume(name, { tag: harness.unique('tag') }, inbox.onDeliveries)
        const dueMs = Date.now() + 600

        await delivery!.settle({ delayUntilMs: dueMs })
        await quiet(300)
        assert.equal(inbox.deliveries.length, 0)
        const [again] = await inbox.atLeast(1)

        assert.ok(Date.now() >= dueMs, 'not before its time')
        assert.ok(Date.now() < dueMs + 2000, 'soon after its time')
        await again!.ack()
      }),
    )
  } else {
    it(
      'refuses to hold a message until a time',
      withChannel(harness, async (channel) => {
        const name = await filled(channel, 'late')
        const delivery = await channel.get(name)

        await assert.rejects(delivery!.settle({ delayUntilMs: Date.now() + 1000 }), {
          code: 'MESSAGING_NOT_SUPPORTED',
        })
      }),
    )
  }
}

/** Brokers settle without an answer: a message that was given back takes a moment to be seen. */
export async function getSoon(channel: Channel, name: string) {
  for (let i = 0; i < 100; i++) {
    const delivery = await channel.get(name)
    if (delivery) return delivery
    await quiet(20)
  }
  throw new Error(`nothing arrived in ${name}`)
}
