/** What is dropped, expires or is crowded out is found at the dead-letter exchange, with its history. */
import assert from 'node:assert/strict'
import { message } from '../../message/message.ts'
import { exchange } from '../../topology/exchange.ts'
import { queue, type QueueOptions } from '../../topology/queue.ts'
import type { Channel } from '../../transport/channel.ts'
import { declareQueue } from '../../transport/declare.ts'
import type { Runner } from '../runner.ts'
import { Inbox, textOf, withChannel, type TransportHarness } from './harness.ts'

export function deadLetterTests({ it }: Runner, harness: TransportHarness): void {
  const { capabilities } = harness

  if (!capabilities.deadLetters) {
    it(
      'refuses a queue with a dead-letter exchange by name',
      withChannel(harness, async (channel) => {
        const options = { deadLetterExchange: 'dead' }
        await assert.rejects(channel.declareQueue(queue(harness.unique('refused'), options)), {
          code: 'MESSAGING_NOT_SUPPORTED',
        })
      }),
    )
    return
  }

  /** A queue whose dead come to a second one. */
  const setup = async (channel: Channel, options: QueueOptions = {}) => {
    const graveyard = exchange(harness.unique('graveyard'), { type: 'topic' })
    const [living, dead] = [harness.unique('living'), harness.unique('dead')]
    const bindings = [{ exchange: graveyard, routingKey: '#' }]
    await declareQueue(channel, queue(dead, { bindings }))
    await declareQueue(channel, queue(living, { deadLetterExchange: graveyard.name, ...options }))
    const inbox = new Inbox()
    await channel.consume(dead, { tag: harness.unique('dead') }, inbox.onDeliveries)
    const send = (text: string, properties = {}) =>
      channel.publish([
        { exchange: '', routingKey: living, message: message(text, properties, { mine: 1 }) },
      ])
    return { living, dead, inbox, send }
  }
  const historyOf = (inbox: Inbox): Record<string, unknown> => {
    const { headers } = inbox.deliveries[0]!.message
    return (headers['x-death'] as Record<string, unknown>[])[0]!
  }

  it(
    'buries what is dropped, with its body, headers and the reason',
    withChannel(harness, async (channel) => {
      const { living, inbox, send } = await setup(channel)
      await send('x')

      const delivery = await channel.get(living)
      await delivery!.drop()
      const [letter] = await inbox.atLeast(1)

      assert.equal(textOf(letter!), 'x')
      assert.equal(letter!.message.headers['mine'], 1)
      assert.equal(letter!.origin.routingKey, living)
      const { reason, queue: from, count } = historyOf(inbox)
      assert.deepEqual([reason, from, Number(count)], ['rejected', living, 1])
      assert.equal(letter!.message.headers['x-first-death-reason'], 'rejected')
      await letter!.ack()
      assert.equal((await channel.declareQueue(queue(living), { passive: true })).messages, 0)
    }),
  )

  it(
    'buries under the routing key the queue names',
    withChannel(harness, async (channel) => {
      const { living, inbox, send } = await setup(channel, { deadLetterRoutingKey: 'grave.7' })
      await send('x')

      await (await channel.get(living))!.drop()
      const [letter] = await inbox.atLeast(1)

      assert.equal(letter!.origin.routingKey, 'grave.7')
    }),
  )

  it(
    'buries what expires where nobody consumes, and the letter does not expire again',
    withChannel(harness, async (channel) => {
      const { inbox, send } = await setup(channel)
      await send('x', { expirationMs: 100 })

      const [letter] = await inbox.atLeast(1)

      assert.equal(historyOf(inbox)['reason'], 'expired')
      assert.equal(letter!.message.properties.expirationMs, undefined)
    }),
  )

  it(
    'buries what waited longer than its queue allows',
    withChannel(harness, async (channel) => {
      const { inbox, send } = await setup(channel, { messageTtlMs: 100 })
      await send('x')

      await inbox.atLeast(1)

      assert.equal(historyOf(inbox)['reason'], 'expired')
    }),
  )

  if (capabilities.maxLength) {
    it(
      'buries what is crowded out',
      withChannel(harness, async (channel) => {
        const { inbox, send } = await setup(channel, { maxLength: 1 })
        await send('old')
        await send('new')

        const [letter] = await inbox.atLeast(1)

        assert.equal(textOf(letter!), 'old')
        assert.equal(historyOf(inbox)['reason'], 'maxlen')
      }),
    )
  }

  it(
    'refuses to declare a queue again as another',
    withChannel(harness, async (channel, connection) => {
      const name = harness.unique('same')
      await channel.declareQueue(queue(name, { messageTtlMs: 60_000 }))
      await channel.declareQueue(queue(name, { messageTtlMs: 60_000 }))

      const other = await connection.channel()
      await assert.rejects(other.declareQueue(queue(name, { messageTtlMs: 1000 })), {
        code: 'MESSAGING_DECLARATION_REFUSED',
      })
    }),
  )
}
