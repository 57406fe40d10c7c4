/** Exchanges are found, removed and bound to each other. */
import assert from 'node:assert/strict'
import { message } from '../../message/message.ts'
import { exchange } from '../../topology/exchange.ts'
import { queue } from '../../topology/queue.ts'
import { declareExchange, declareQueue } from '../../transport/declare.ts'
import type { Runner } from '../runner.ts'
import { Inbox, quiet, withChannel, type TransportHarness } from './harness.ts'

export function exchangeTests({ it }: Runner, harness: TransportHarness): void {
  const { capabilities } = harness
  const refused = { code: 'MESSAGING_DECLARATION_REFUSED' }

  it(
    'finds an exchange that is there, and refuses one that is not',
    withChannel(harness, async (channel) => {
      const found = exchange(harness.unique('there'))
      await declareQueue(
        channel,
        queue(harness.unique('there'), { bindings: [{ exchange: found }] }),
      )

      await channel.declareExchange(found, { passive: true })

      await assert.rejects(
        channel.declareExchange(exchange(harness.unique('missing')), { passive: true }),
        refused,
      )
    }),
  )

  it(
    'refuses to declare an exchange again as another type',
    withChannel(harness, async (channel) => {
      const name = harness.unique('type')
      await channel.declareExchange(exchange(name))

      await assert.rejects(channel.declareExchange(exchange(name, { type: 'topic' })), refused)
    }),
  )

  it(
    'removes an exchange only when nothing is bound to it, if asked to',
    withChannel(harness, async (channel, connection) => {
      const bound = exchange(harness.unique('bound'))
      const name = harness.unique('bound')
      await declareQueue(channel, queue(name, { bindings: [{ exchange: bound, routingKey: 'k' }] }))

      const other = await connection.channel()
      await assert.rejects(other.removeExchange(bound.name, { ifUnused: true }), refused)
      await channel.unbind({ exchange: bound.name, queue: name, routingKey: 'k', arguments: {} })

      await channel.removeExchange(bound.name, { ifUnused: true })
    }),
  )

  if (!capabilities.exchangeBindings) {
    it(
      'refuses to bind an exchange to an exchange by name',
      withChannel(harness, async (channel) => {
        const binding = { exchange: 'a', to: 'b', routingKey: '', arguments: {} }
        await assert.rejects(channel.bindExchange(binding), { code: 'MESSAGING_NOT_SUPPORTED' })
      }),
    )
    return
  }

  it(
    'passes messages from exchange to exchange as bound, and each queue gets one',
    withChannel(harness, async (channel) => {
      const source = exchange(harness.unique('source'), { type: 'topic' })
      const onwards = exchange(harness.unique('onwards'), {
        type: 'fanout',
        bindings: [{ exchange: source, routingKey: 'a.*' }],
      })
      await declareExchange(channel, onwards)
      const name = harness.unique('far')
      const bindings = [{ exchange: onwards }, { exchange: source, routingKey: 'a.b' }]
      await declareQueue(channel, queue(name, { bindings }))
      const inbox = new Inbox()
      await channel.consume(name, { tag: 't', noAck: true }, inbox.onDeliveries)

      for (const routingKey of ['a.b', 'a.c', 'b.c'])
        await channel.publish([{ exchange: source.name, routingKey, message: message(routingKey) }])
      await inbox.atLeast(2)
      await quiet()

      assert.deepEqual(inbox.texts.toSorted(), ['a.b', 'a.c'])
    }),
  )

  it(
    'passes nothing on after unbinding',
    withChannel(harness, async (channel) => {
      const source = exchange(harness.unique('source'), { type: 'direct' })
      const onwards = exchange(harness.unique('onwards'), {
        type: 'fanout',
        bindings: [{ exchange: source, routingKey: 'k' }],
      })
      await declareExchange(channel, onwards)
      const name = harness.unique('far')
      await declareQueue(channel, queue(name, { bindings: [{ exchange: onwards }] }))

      await channel.unbindExchange({
        exchange: source.name,
        to: onwards.name,
        routingKey: 'k',
        arguments: {},
      })
      await channel.publish([{ exchange: source.name, routingKey: 'k', message: message('x') }])

      assert.equal((await channel.declareQueue(queue(name))).messages, 0)
    }),
  )

  it(
    'asks the alternate exchange when no binding takes a message',
    withChannel(harness, async (channel) => {
      const rest = exchange(harness.unique('rest'), { type: 'fanout' })
      const name = harness.unique('rest')
      await declareQueue(channel, queue(name, { bindings: [{ exchange: rest }] }))
      const source = exchange(harness.unique('source'), { alternateExchange: rest.name })
      await channel.declareExchange(source)

      await channel.publish([{ exchange: source.name, routingKey: 'no', message: message('x') }])

      assert.equal((await channel.declareQueue(queue(name))).messages, 1)
    }),
  )
}
