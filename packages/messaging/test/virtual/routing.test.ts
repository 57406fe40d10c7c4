import { describe, expect, it } from '@jest/globals'
import type { Binding } from '../../src/topology/binding.ts'
import { topicMatches } from '../../src/virtual/exchange-types.ts'
import { route } from '../../src/virtual/routing.ts'

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

describe('route', () => {
  it('reaches each queue once, in the order of the bindings', () => {
    const bindings = [binding('b', '#'), binding('a', 'k'), binding('b', 'k')]
    expect(route('topic', bindings, 'k', {})).toEqual(['b', 'a'])
  })

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
