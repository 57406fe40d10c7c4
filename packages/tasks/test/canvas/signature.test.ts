import { describe, expect, it } from '@jest/globals'
import { chain, chord, group } from '../../src/canvas/combinators.ts'
import {
  call,
  clone,
  deliveryOf,
  mergeArgs,
  mergeOptions,
  noOptions,
  stampsOf,
  withImmutable,
  withOptions,
  type SignatureOptions,
} from '../../src/canvas/signature.ts'

describe('arguments that come later', () => {
  it.each([
    [[2], [1], false, [1, 2]],
    [[2], [1], true, [2]],
    [[2], [], false, [2]],
    [[2], undefined, false, [2]],
    [[], [1], false, [1]],
  ])('%j after %j, immutable %j: %j', (args, given, immutable, expected) => {
    expect(mergeArgs({ args, immutable }, given)).toEqual(expected)
  })
})

describe('a copy', () => {
  const add = call('add', { args: [2], kwargs: { a: 1 }, options: { queue: 'q', priority: 1 } })

  it('has arguments in front and the rest laid over', () => {
    expect(clone(add, { args: [1], kwargs: { b: 2 }, options: { priority: 2 } })).toEqual(
      call('add', { args: [1, 2], kwargs: { a: 1, b: 2 }, options: { queue: 'q', priority: 2 } }),
    )
  })

  it('leaves the original alone', () => {
    clone(add, { args: [1], kwargs: { a: 2 }, options: { queue: 'other' } })

    expect(add).toEqual(
      call('add', { args: [2], kwargs: { a: 1 }, options: { queue: 'q', priority: 1 } }),
    )
  })

  it('of what is immutable only takes options', () => {
    const copy = clone(withImmutable(add), {
      args: [1],
      kwargs: { b: 2 },
      options: { priority: 2 },
    })

    expect(copy).toMatchObject({ args: [2], kwargs: { a: 1 }, options: { priority: 2 } })
  })

  it('of a workflow has keyword arguments where its arguments go', () => {
    const kwargs = { k: 1 }
    const a = call('a')
    const b = call('b')
    const withK = clone(a, { kwargs })

    expect(clone(chain(a, b), { kwargs })).toEqual(chain(withK, b))
    expect(clone(group([a, b]), { kwargs })).toEqual(group([withK, clone(b, { kwargs })]))
    expect(clone(chord([a], b), { kwargs })).toEqual(chord([withK], b))
    expect(clone(chain(), { kwargs })).toEqual(chain())
  })
})

describe('immutable', () => {
  const a = call('a')
  const fixed = withImmutable(a)

  it('can be taken back', () => {
    expect(withImmutable(fixed, false)).toEqual(a)
  })

  it('is said of all members of a group, and of the header of a chord', () => {
    expect(withImmutable(group([a])).members).toEqual([fixed])
    expect(withImmutable(chord([a], a))).toMatchObject({ header: [fixed], body: a })
    expect(withImmutable(chain(a, a))).toEqual({ ...chain(a, a), immutable: true })
  })
})

describe('options', () => {
  it('are merged name by name in headers and unknown ones', () => {
    const own: SignatureOptions = { headers: { a: 1, b: 1 }, extra: { x: 1 }, queue: 'q' }

    expect(mergeOptions(own, { headers: { b: 2 }, extra: { y: 2 } })).toEqual({
      headers: { a: 1, b: 2 },
      extra: { x: 1, y: 2 },
      queue: 'q',
    })
  })

  it('are the same object when there is nothing to merge', () => {
    const own: SignatureOptions = { queue: 'q' }

    expect(mergeOptions(own, undefined)).toBe(own)
    expect(mergeOptions(own, noOptions)).toBe(own)
  })

  it('about the message are told from those about the place', () => {
    const { options } = withOptions(call('a'), {
      taskId: 'i',
      groupId: 'g',
      groupIndex: 1,
      rootId: 'r',
      parentId: 'p',
      replyTo: 'o',
      retries: 1,
      replacedTaskNesting: 1,
      link: [],
      linkError: [],
      chain: [],
      chord: call('b'),
      queue: 'q',
      countdown: 0,
    })

    expect(deliveryOf(options)).toEqual({ queue: 'q', countdown: 0 })
  })

  it('leave stamps out of the unknown ones', () => {
    const stamped = { stampedHeaders: ['a', 'b'], extra: { a: 1, other: 2 } }

    expect(stampsOf(stamped)).toEqual({ a: 1 })
    expect(deliveryOf(stamped)).toEqual({ extra: { other: 2 } })
    expect(deliveryOf({ stampedHeaders: ['a'], extra: { a: 1 } })).toEqual({})
    expect(stampsOf({ extra: { a: 1 } })).toBeUndefined()
  })
})
