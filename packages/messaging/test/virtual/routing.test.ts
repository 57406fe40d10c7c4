import { describe, expect, it } from '@jest/globals'
import type { Binding } from '../../src/topology/binding.ts'
import { topicMatches } from '../../src/virtual/exchange-types.ts'
import { matching, Router } from '../../src/virtual/routing.ts'
import type { MessageStore } from '../../src/virtual/store.ts'
import { exchange } from '../../src/topology/exchange.ts'

const binding = (queue: string, routingKey: string, args: Binding['arguments'] = {}): Binding => ({
  exchange: 'x',
  queue,
  routingKey,
  arguments: args,
})

describe('topicMatches', () => {
  const cases: readonly [pattern: string, key: string, matches: boolean][] = [
    ['', '', true],
    ['#', '', true],
    ['*', '', true],
    ['*', 'a', true],
    ['*', 'a.b', false],
    ['a.*.c', 'a.b.c', true],
    ['a.*.c', 'a.b.b.c', false],
    ['a.#.c', 'a.c', true],
    ['a.#.c', 'a.b.b.c', true],
    ['#.c', 'c', true],
    ['#.#', 'a', true],
    ['*.#', 'a', true],
    ['*.#', '', true],
    ['#.*.#', 'a.b', true],
    ['a.b', 'a.b.c', false],
    ['a.b.c', 'a.b', false],
    ['a', 'A', false],
  ]
  it.each(cases)('%j and %j: %s', (pattern, key, matches) => {
    expect(topicMatches(pattern, key)).toBe(matches)
  })
})

const route = (
  type: 'direct' | 'fanout' | 'headers',
  bindings: Binding[],
  key: string,
  headers: object,
) =>
  matching(type, bindings, key, headers as Record<string, string | number>).map(
    ({ queue }) => queue,
  )

describe('matching', () => {
  it('compares direct keys, and nothing for a fanout', () => {
    const bindings = [binding('a', 'k'), binding('b', 'other')]
    expect(route('direct', bindings, 'k', {})).toEqual(['a'])
    expect(route('fanout', bindings, 'whatever', {})).toEqual(['a', 'b'])
  })

  it('compares headers by x-match', () => {
    const wanted = { colour: 'red', size: 1 }
    const bindings = [
      binding('all', '', { ...wanted, 'x-match': 'all' }),
      binding('any', '', { ...wanted, 'x-match': 'any' }),
      binding('default', '', wanted),
      binding('present', '', { colour: null }),
      binding('empty', '', {}),
    ]
    expect(route('headers', bindings, '', { colour: 'red', size: 1 })).toEqual([
      'all',
      'any',
      'default',
      'present',
      'empty',
    ])
    expect(route('headers', bindings, '', { colour: 'red' })).toEqual(['any', 'present', 'empty'])
    expect(route('headers', bindings, '', {})).toEqual(['empty'])
  })
})

describe('Router', () => {
  const alternate = exchange('x', { type: 'topic', alternateExchange: 'rest' })
  const known: Record<string, Partial<Awaited<ReturnType<MessageStore['findExchange']>>>> = {
    x: alternate,
    rest: exchange('rest', { type: 'fanout' }),
    y: exchange('y', { type: 'fanout' }),
  }
  const onwards = [
    { exchange: 'x', to: 'y', routingKey: 'k.#', arguments: {} },
    { exchange: 'y', to: 'x', routingKey: '', arguments: {} },
  ]
  const bindings = [
    binding('b', 'k.#'),
    binding('a', 'k.1'),
    binding('b', 'k.1'),
    { ...binding('far', ''), exchange: 'y' },
    { ...binding('other', ''), exchange: 'rest' },
  ]
  const router = () =>
    new Router({
      findExchange: async (name: string) => known[name],
      readBindings: async (name: string) => bindings.filter((b) => b.exchange === name),
      readExchangeBindings: async (name: string) => onwards.filter((b) => b.exchange === name),
    } as unknown as MessageStore)

  it('reaches each queue once, also through exchanges that are bound in a circle', async () => {
    expect(await router().queues('x', 'k.1', {})).toEqual(['b', 'a', 'far'])
  })

  it('asks the alternate exchange when nothing else takes it', async () => {
    expect(await router().queues('x', 'nowhere', {})).toEqual(['other'])
  })

  it('does not ask it when another way led to the same queue before', async () => {
    const both = new Router({
      findExchange: async (name: string) =>
        exchange(name, { type: 'fanout', ...(name === 'b' && { alternateExchange: 'rest' }) }),
      readBindings: async (name: string) =>
        name === 'source' ? [] : [binding(name === 'rest' ? 'other' : 'same', '')],
      readExchangeBindings: async (name: string) =>
        name === 'source'
          ? ['a', 'b'].map((to) => ({ exchange: name, to, routingKey: '', arguments: {} }))
          : [],
    } as unknown as MessageStore)

    expect(await both.queues('source', '', {})).toEqual(['same'])
  })

  it('knows the default exchange', async () => {
    expect(await router().queues('', 'some.queue', {})).toEqual(['some.queue'])
  })
})
