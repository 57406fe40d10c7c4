/** What arrives is what was sent. */
import assert from 'node:assert/strict'
import { message } from '../../message/message.ts'
import { queue } from '../../topology/queue.ts'
import type { Runner } from '../runner.ts'
import { textOf, withChannel, type TransportHarness } from './harness.ts'

export function publishTests({ it }: Runner, harness: TransportHarness): void {
  it(
    'delivers bytes, headers and properties as they were sent',
    withChannel(harness, async (channel) => {
      const name = harness.unique('publish')
      await channel.declareQueue(queue(name))
      const body = Uint8Array.from([0, 1, 127, 128, 254, 255])
      const headers = {
        text: 'é',
        number: 7,
        flag: true,
        none: null,
        list: [1, 'a'],
        map: { x: 1 },
      }
      const properties = {
        contentType: 'application/data',
        contentEncoding: 'binary',
        deliveryMode: 2 as const,
        correlationId: 'c-1',
        replyTo: 'answers',
        priority: 0,
      }

      const failures = await channel.publish([
        { exchange: '', routingKey: name, message: { body, headers, properties } },
      ])
      const delivery = await channel.get(name)

      assert.equal(failures, undefined)
      assert.ok(delivery)
      assert.deepEqual(Buffer.from(delivery.message.body), Buffer.from(body))
      assert.deepEqual({ ...delivery.message.headers }, headers)
      for (const [key, value] of Object.entries(properties)) {
        assert.equal(delivery.message.properties[key as keyof typeof properties], value, key)
      }
      assert.equal(delivery.origin.redelivered, false)
      assert.equal(delivery.origin.routingKey, name)
      await delivery.ack()
    }),
  )

  it(
    'keeps the order of a queue',
    withChannel(harness, async (channel) => {
      const name = harness.unique('order')
      await channel.declareQueue(queue(name))
      const texts = Array.from({ length: 50 }, (_, i) => String(i))

      await channel.publish(
        texts.map((text) => ({ exchange: '', routingKey: name, message: message(text) })),
      )
      const received: string[] = []
      for (let i = 0; i < texts.length; i++) {
        const delivery = await channel.get(name)
        received.push(textOf(delivery!))
        await delivery!.ack()
      }

      assert.deepEqual(received, texts)
    }),
  )

  it(
    'carries a large body',
    withChannel(harness, async (channel) => {
      const name = harness.unique('large')
      await channel.declareQueue(queue(name))
      const body = Buffer.alloc(3 * 1024 * 1024, 'x')

      await channel.publish([{ exchange: '', routingKey: name, message: message(body) }])
      const delivery = await channel.get(name)

      assert.equal(Buffer.compare(Buffer.from(delivery!.message.body), body), 0)
      await delivery!.ack()
    }),
  )

  it(
    'answers an empty queue with nothing',
    withChannel(harness, async (channel) => {
      const name = harness.unique('empty')
      await channel.declareQueue(queue(name))

      assert.equal(await channel.get(name), undefined)
    }),
  )

  it(
    harness.capabilities.mandatory
      ? 'reports an unroutable mandatory message by its place'
      : 'drops an unroutable message',
    withChannel(harness, async (channel) => {
      const name = harness.unique('routable')
      await channel.declareQueue(queue(name))
      const nowhere = harness.unique('nowhere')

      const failures = await channel.publish([
        { exchange: '', routingKey: name, message: message('a'), mandatory: true },
        { exchange: '', routingKey: nowhere, message: message('b'), mandatory: true },
      ])

      if (harness.capabilities.mandatory) {
        assert.deepEqual(
          [...(failures ?? [])].map(([at, error]) => [at, error.code]),
          [[1, 'MESSAGING_UNROUTABLE']],
        )
      } else assert.equal(failures, undefined)
      assert.equal((await channel.declareQueue(queue(name))).messages, 1)
    }),
  )
}
