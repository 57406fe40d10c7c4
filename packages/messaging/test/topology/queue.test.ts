import { describe, expect, it } from '@jest/globals'
import { exchange } from '../../src/topology/exchange.ts'
import { bindingsOf, queue } from '../../src/topology/queue.ts'

describe('queue', () => {
  it('is durable and plain unless told otherwise', () => {
    expect(queue('q')).toEqual({
      name: 'q',
      durable: true,
      exclusive: false,
      autoDelete: false,
      arguments: {},
      bindings: [],
      consumerArguments: {},
      passive: false,
      noDeclare: false,
    })
  })

  it('has the portable limits as arguments of the broker', () => {
    const { arguments: found } = queue('q', {
      maxPriority: 9,
      expiresMs: 1000,
      messageTtlMs: 2000,
      deadLetterExchange: 'dead',
      deadLetterRoutingKey: 'key',
      arguments: { 'x-queue-type': 'quorum' },
    })
    expect(found).toEqual({
      'x-queue-type': 'quorum',
      'x-max-priority': 9,
      'x-expires': 1000,
      'x-message-ttl': 2000,
      'x-dead-letter-exchange': 'dead',
      'x-dead-letter-routing-key': 'key',
    })
  })

  it.each([
    ['direct', 'q'],
    ['topic', 'q'],
    ['fanout', ''],
    ['headers', ''],
  ] as const)('binds to a %s exchange with the key %j', (type, routingKey) => {
    const { bindings } = queue('q', { bindings: [{ exchange: exchange('x', { type }) }] })
    expect(bindings[0]?.routingKey).toBe(routingKey)
  })

  it('needs no binding to the default exchange', () => {
    const declared = queue('q', {
      bindings: [{ exchange: '' }, { exchange: 'x', routingKey: 'k' }],
    })
    expect(bindingsOf(declared)).toEqual([
      { exchange: 'x', queue: 'q', routingKey: 'k', arguments: {} },
    ])
  })
})
