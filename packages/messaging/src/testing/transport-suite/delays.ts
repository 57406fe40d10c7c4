/** A message that is published for later: held by the broker until its time, or refused by name. */
import assert from 'node:assert/strict'
import { message } from '../../message/message.ts'
import { queue } from '../../topology/queue.ts'
import type { Runner } from '../runner.ts'
import { Inbox, textOf, withChannel, type TransportHarness } from './harness.ts'

export function delayTests({ it }: Runner, harness: TransportHarness): void {
  if (!harness.capabilities.delayedPublish) {
    it(
      'refuses to hold a published message, and only that one',
      withChannel(harness, async (channel) => {
        const name = harness.unique('held')
        await channel.declareQueue(queue(name))
        const send = { exchange: '', routingKey: name, message: message('x') }

        const failures = await channel.publish([
          { ...send, delayUntilMs: Date.now() + 60_000 },
          send,
        ])

        assert.deepEqual(
          [...(failures ?? [])].map(([at, error]) => [at, error.code]),
          [[0, 'MESSAGING_NOT_SUPPORTED']],
        )
        assert.equal((await channel.declareQueue(queue(name))).messages, 1)
      }),
    )
    return
  }

  it(
    'holds a published message until its time, for whoever consumes',
    withChannel(harness, async (channel) => {
      const name = harness.unique('held')
      await channel.declareQueue(queue(name))
      const inbox = new Inbox()
      const times = new Map<string, number>()
      await channel.consume(name, { tag: 'held' }, (deliveries) => {
        for (const delivery of deliveries) times.set(textOf(delivery), Date.now())
        inbox.onDeliveries(deliveries)
      })
      const send = (text: string, inMs: number) => ({
        exchange: '',
        routingKey: name,
        message: message(text, { correlationId: text }, { mine: 1 }),
        delayUntilMs: Date.now() + inMs,
      })
      const publisher = harness.connect()
      try {
        const sender = await publisher.channel()
        // A broker may have to prepare for it first, which is no part of the delay.
        await sender.publish([{ ...send('first', 0), delayUntilMs: Date.now() + 20 }])
        await inbox.atLeast(1)
        const sent = [send('later', 1500), send('soon', 400), send('past', -1000)]
        assert.equal(await sender.publish(sent), undefined)
        await inbox.atLeast(4)
        for (const { message: one, delayUntilMs } of sent)
          assert.ok(times.get(String(one.properties.correlationId))! >= delayUntilMs, 'came early')
      } finally {
        await publisher.close()
      }

      assert.deepEqual(inbox.texts, ['first', 'past', 'soon', 'later'])
      const { message: later, origin } = inbox.deliveries[3]!
      assert.equal(later.properties.correlationId, 'later')
      assert.equal(later.headers['mine'], 1)
      assert.deepEqual([origin.exchange, origin.routingKey], ['', name])
      for (const delivery of inbox.deliveries) await delivery.ack()
      await channel.removeQueue(name)
    }),
  )
}
