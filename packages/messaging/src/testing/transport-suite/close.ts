/** Ends: channels and connections that close, links that break. */
import assert from 'node:assert/strict'
import { message } from '../../message/message.ts'
import { queue } from '../../topology/queue.ts'
import type { Runner } from '../runner.ts'
import { Inbox, withChannel, type TransportHarness } from './harness.ts'

export function closeTests({ it }: Runner, harness: TransportHarness): void {
  it(
    'closes a channel twice, and refuses work on it after',
    withChannel(harness, async (channel) => {
      await Promise.all([channel.close(), channel.close()])

      assert.equal(channel.isOpen, false)
      assert.equal(await channel.closed, undefined)
      await assert.rejects(channel.purge('any'), { code: 'MESSAGING_CHANNEL_CLOSED' })
    }),
  )

  it(
    'closes one channel without harm to another',
    withChannel(harness, async (channel, connection) => {
      const other = await connection.channel()
      const name = harness.unique('apart')
      await channel.declareQueue(queue(name))

      await other.close()
      await channel.publish([{ exchange: '', routingKey: name, message: message('x') }])

      assert.equal((await channel.declareQueue(queue(name))).messages, 1)
    }),
  )

  it('refuses work on a closed connection', async () => {
    const connection = harness.connect()
    await connection.connect()
    await Promise.all([connection.close(), connection.close()])

    await assert.rejects(connection.connect(), { code: 'MESSAGING_CONNECTION_CLOSED' })
    assert.throws(() => connection.producer(), { code: 'MESSAGING_CONNECTION_CLOSED' })
    assert.equal(connection.state, 'closed')
  })

  it('closes a connection that never opened', async () => {
    const connection = harness.connect()
    await connection.close()
    assert.equal(connection.state, 'closed')
  })

  const { breakLinks } = harness
  if (!breakLinks) return

  it('consumes again after the link broke, with everything it had', async () => {
    const connection = harness.connect()
    const name = harness.unique('again')
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [name],
      prefetch: 5,
      onDeliveries: inbox.onDeliveries,
    })
    try {
      await consumer.start()
      const producer = connection.producer()
      await producer.publish('before', { routingKey: name, serializer: 'text' })
      await inbox.atLeast(1)

      const back = consumer.signals.once('ready', AbortSignal.timeout(10_000))
      await breakLinks(connection)
      assert.equal((await back).recovered, true)
      // Of the dead channel: without its session settling it does nothing, and the message comes again.
      await inbox.deliveries[0]!.ack()
      if (!harness.resumes) {
        await inbox.atLeast(2, 20_000)
        assert.equal(inbox.deliveries[1]!.origin.redelivered, true)
        await inbox.deliveries[1]!.ack()
      }
      await producer.publish('after', { routingKey: name, serializer: 'text' })
      const expected = harness.resumes ? ['before', 'after'] : ['before', 'before', 'after']
      await inbox.atLeast(expected.length)

      assert.deepEqual(inbox.texts, expected)
      await inbox.deliveries.at(-1)!.ack()
    } finally {
      await connection.close()
    }
  })

  it('confirms or rejects every publish while links break', async () => {
    const connection = harness.connect()
    const name = harness.unique('cut')
    const inbox = new Inbox()
    try {
      const channel = await connection.channel()
      await channel.declareQueue(queue(name))
      const producer = connection.producer()
      let confirmed = 0
      for (let round = 0; round < 5; round++) {
        const sends = Array.from({ length: 40 }, (_, i) =>
          producer.publish(`${round}-${i}`, { routingKey: name, serializer: 'text' }).then(
            () => confirmed++,
            () => undefined,
          ),
        )
        await breakLinks(connection)
        await Promise.all(sends)
      }
      const consumer = connection.consumer({
        queues: [name],
        prefetch: 0,
        noAck: true,
        onDeliveries: inbox.onDeliveries,
      })
      await consumer.start()
      await inbox.atLeast(confirmed)

      assert.ok(confirmed > 0)
      assert.ok(new Set(inbox.texts).size >= confirmed, 'every confirmed message is there')
    } finally {
      await connection.close()
    }
  })
}
