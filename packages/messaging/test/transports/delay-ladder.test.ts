import { describe, expect, it } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { message } from '../../src/message/message.ts'
import { exchange } from '../../src/topology/exchange.ts'
import { queue } from '../../src/topology/queue.ts'
import type { Channel } from '../../src/transport/channel.ts'
import {
  delayedKey,
  delayedOrigin,
  DelayLadder,
  longestDelay,
  undelayedKey,
} from '../../src/transports/amqp/delay-ladder.ts'

interface Method {
  readonly conn: number
  readonly method: string
  readonly args: Readonly<Record<string, unknown>>
}

const vector = (name: string) =>
  JSON.parse(
    readFileSync(new URL(`../../../../vectors/${name}.json`, import.meta.url), 'utf8'),
  ) as { readonly methods: Method[]; readonly publishes: { routing_key: string }[] }

/** Writes down what is asked of it, in the words of the vectors. */
function recorder(): { channel: Channel; calls: unknown[] } {
  const calls: unknown[] = []
  const channel = {
    declareExchange: (one: ReturnType<typeof exchange>) =>
      calls.push(['exchange.declare', one.name, one.type, one.durable]),
    declareQueue: (one: ReturnType<typeof queue>) =>
      calls.push(['queue.declare', one.name, one.durable, one.arguments]),
    bind: (b: { queue: string; exchange: string; routingKey: string }) =>
      calls.push(['queue.bind', b.queue, b.exchange, b.routingKey]),
    bindExchange: (b: { to: string; exchange: string; routingKey: string }) =>
      calls.push(['exchange.bind', b.to, b.exchange, b.routingKey]),
  } as unknown as Channel
  return { channel, calls }
}

function asCall({ method, args }: Method): unknown {
  if (method === 'exchange.declare')
    return [method, args['exchange'], args['type'], args['durable']]
  if (method === 'queue.declare') return [method, args['queue'], args['durable'], args['arguments']]
  if (method === 'queue.bind') return [method, args['queue'], args['exchange'], args['routing_key']]
  return [method, args['destination'], args['source'], args['routing_key']]
}

const kinds = ['exchange.declare', 'queue.declare', 'queue.bind', 'exchange.bind']

describe('the ladder for delayed messages', () => {
  it('is declared and bound as Kombu does it', async () => {
    const { methods } = vector('amqp-delayed-ladder')
    const start = methods.findIndex(({ args }) => args['exchange'] === 'celery_delayed_27')
    const theirs = methods
      .slice(start)
      .filter(({ method }) => kinds.includes(method))
      .map(asCall)
    const { channel, calls } = recorder()
    const ladder = new DelayLadder()

    await ladder.declare(channel)
    await ladder.bind(
      channel,
      queue('quorumw', {
        bindings: [{ exchange: exchange('quorumw', { type: 'topic' }), routingKey: 'quorumw' }],
      }),
    )

    expect(calls).toEqual(theirs.slice(0, calls.length))
    expect(calls).toHaveLength(28 * 3 + 27 + 2 + 2)
  })

  it('can be of classic queues, and have a prefix', async () => {
    const { channel, calls } = recorder()
    const ladder = new DelayLadder({ queueType: 'classic', prefix: 'my' })

    await ladder.declare(channel)

    expect([ladder.entrance, ladder.exit]).toEqual([
      'my_celery_delayed_27',
      'my_celery_delayed_delivery',
    ])
    expect(calls[1]).toEqual([
      'queue.declare',
      'my_celery_delayed_27',
      true,
      {
        'x-queue-type': 'classic',
        'x-overflow': 'reject-publish',
        'x-message-ttl': 134_217_728_000,
        'x-dead-letter-exchange': 'my_celery_delayed_26',
      },
    ])
  })

  it.each([
    ['amqp-delayed-5', 5],
    ['amqp-delayed-100000', 100_000],
  ])('writes the key of %s', (name, seconds) => {
    expect(delayedKey(seconds, 'quorumq')).toBe(vector(name).publishes[0]!.routing_key)
  })

  it('never lets a message come early', () => {
    expect(delayedKey(0.2, 'k')).toBe(delayedKey(1, 'k'))
    expect(delayedKey(4.001, 'k')).toBe(delayedKey(5, 'k'))
    expect(delayedKey(-1, 'k')).toBe(delayedKey(0, 'k'))
  })

  it('replaces an earlier delay, so that keys do not grow', () => {
    const first = delayedKey(3, 'a.b')

    expect(delayedKey(7, first)).toBe(delayedKey(7, 'a.b'))
    expect(undelayedKey(first)).toBe('a.b')
    expect(undelayedKey('0.1.a')).toBe('0.1.a')
  })

  it('refuses what does not fit', () => {
    expect(delayedKey(longestDelay, 'k')).toBe(`${'1.'.repeat(28)}k`)
    const code = (work: () => unknown) => {
      try {
        return work()
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    expect(code(() => delayedKey(longestDelay + 1, 'k'))).toBe('MESSAGING_OPTION_INVALID')
    expect(code(() => delayedKey(Number.NaN, 'k'))).toBe('MESSAGING_OPTION_INVALID')
    expect(delayedKey(1, 'k'.repeat(199))).toHaveLength(255)
    expect(code(() => delayedKey(1, 'k'.repeat(200)))).toBe('MESSAGING_TOO_LARGE')
    expect(code(() => delayedKey(1, 'ü'.repeat(100)))).toBe('MESSAGING_TOO_LARGE')
  })

  it.each([
    ['', 'tasks.high'],
    ['tasks', ''],
    ['a.b', '#.*.%2E=direct'],
    ['ü', '='],
  ])('finds back to exchange %j and key %j', (exchangeName, routingKey) => {
    const ladder = new DelayLadder()
    const sent = { exchange: exchangeName, routingKey, message: message('x') }

    const delayed = ladder.publication(sent, 'direct', 9)

    expect(delayed.exchange).toBe('celery_delayed_27')
    expect(delayedOrigin(ladder.exit, delayed.routingKey)).toEqual({
      exchange: exchangeName,
      routingKey,
    })
  })

  it('leaves out what the broker would misunderstand', () => {
    const headers = { 'x-death': [], 'x-first-death-queue': 'q', 'x-deathly': 1, mine: 2 }
    const sent = {
      exchange: 't',
      routingKey: 'k',
      message: message('x', { expirationMs: 5, priority: 3 }, headers),
      delayUntilMs: 1,
    }

    const delayed = new DelayLadder().publication(sent, 'topic', 9)

    expect(delayed).toEqual({
      exchange: 'celery_delayed_27',
      routingKey: delayedKey(9, 'k'),
      message: {
        ...sent.message,
        headers: { 'x-deathly': 1, mine: 2 },
        properties: { priority: 3 },
      },
    })
    expect(delayedOrigin('other', delayed.routingKey)).toBeUndefined()
    expect(delayedOrigin('celery_delayed_delivery', 'k')).toBeUndefined()
  })
})
