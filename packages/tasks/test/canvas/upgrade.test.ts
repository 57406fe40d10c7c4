import { describe, expect, it } from '@jest/globals'
import { chain, chord, chunks, group } from '../../src/canvas/combinators.ts'
import {
  call,
  withImmutable,
  withOptions,
  type Chain,
  type Signature,
} from '../../src/canvas/signature.ts'
import { endInOne, followedBy, membersOf, stepsOf, unrollChunks } from '../../src/canvas/upgrade.ts'

const a = call('a')
const b = call('b')
const c = call('c')

/** A chain just as it is written, which `chain()` would join differently. */
function raw(...steps: Signature[]): Chain {
  return { kind: 'chain', steps, args: [], options: {}, immutable: false }
}

const kinds = (steps: readonly Signature[]): string[] =>
  steps.map((step) => (step.kind === 'call' ? step.task : step.kind))

describe('the steps of a chain as they are sent', () => {
  it.each<[string, Chain, string[]]>([
    ['chains in chains', raw(a, raw(b, raw(c))), ['a', 'b', 'c']],
    ['a group before a step', raw(a, group([b, c]), c), ['a', 'chord']],
    ['a group before a group', raw(a, group([b, c]), group([b, c])), ['a', 'chord']],
    ['a group at the end', raw(a, group([b, c])), ['a', 'group']],
    ['a group of one', raw(a, group([b])), ['a', 'b']],
    ['a group of one chain', raw(a, group([raw(b, c)])), ['a', 'b', 'c']],
    ['a group of one before a step', raw(group([b]), c), ['b', 'c']],
    ['an empty group in the middle', raw(a, group([]), b), ['a', 'b']],
    ['an empty group at the end', raw(a, group([])), ['a']],
    ['an empty group at the beginning', raw(group([]), b), ['chord']],
    ['nothing but an empty group', raw(group([])), ['group']],
    ['a chord before a step', raw(chord([a], b), c), ['chord', 'c']],
    ['chunks before a step', raw(chunks(a, [[1], [2]], 1), c), ['chord']],
    ['empty chains', raw(raw(), raw()), []],
  ])('%s', (_name, steps, expected) => {
    expect(kinds(stepsOf(steps))).toEqual(expected)
  })

  it('have what inner chains say of themselves', () => {
    const inner = withOptions(
      { ...raw(a, b), args: [1], immutable: true },
      { queue: 'q', link: [c], linkError: [c], taskId: 'last' },
    )

    const [, first, last] = stepsOf(raw(c, inner))

    expect(first).toMatchObject({
      task: 'a',
      args: [1],
      immutable: true,
      options: { queue: 'q', linkError: [c] },
    })
    expect(last!.options).toEqual({ taskId: 'last', link: [c], linkError: [c] })
  })
})

describe('the members of a group as they are sent', () => {
  it('are flat and have what their groups say', () => {
    const inner = { ...withOptions(group([b]), { queue: 'inner', priority: 1 }), args: [2] }
    const outer = { ...withOptions(group([a, inner]), { queue: 'outer' }), args: [1] }

    expect(membersOf(outer)).toEqual([
      call('a', { args: [1], options: { queue: 'outer' } }),
      call('b', { args: [1, 2], options: { queue: 'outer', priority: 1 } }),
    ])
  })

  it('have the links of the group', () => {
    const linked = withOptions(group([a, b]), { link: [c], linkError: [c] })

    expect(membersOf(linked).map((one) => one.options)).toEqual([
      { link: [withImmutable(c)], linkError: [c] },
      { linkError: [c] },
    ])
  })

  it('are none of what runs nothing', () => {
    expect(membersOf(group([raw(), group([]), raw(group([a, b]))]))).toEqual([a, b])
  })
})

describe('a header member', () => {
  it.each<[string, Signature]>([
    ['a call', a],
    ['a chain of calls', raw(a, b)],
    ['a chord', chord([a], b)],
    ['a chain that ends in a chord', chain(a, group([a, b]), c)],
  ])('%s ends in one result already', (_name, member) => {
    expect(endInOne(member)).toEqual(member)
  })

  it('a group is joined', () => {
    expect(endInOne(group([a, b]))).toMatchObject({
      kind: 'chord',
      header: [a, b],
      body: { task: 'celery.accumulate', args: [], kwargs: { index: 0 } },
    })
  })

  it('a group at the end of a chain or of a chord is joined', () => {
    expect(endInOne(raw(a, group([a, b])))).toMatchObject({ steps: [a, { kind: 'chord' }] })
    expect(endInOne(chord([a], group([a, b])))).toMatchObject({ body: { kind: 'chord' } })
  })
})

describe('what comes after a body', () => {
  it('is carried along by a call, before what it has already', () => {
    const body = withOptions(a, { chain: [c, b] })

    expect(followedBy(body, [call('z'), call('y')]).options.chain).toEqual([
      call('z'),
      call('y'),
      c,
      b,
    ])
  })

  it('makes a chain of anything else', () => {
    expect(followedBy(group([a, b]), [c, b])).toEqual(raw(group([a, b]), b, c))
  })

  it('is nothing where there is nothing', () => {
    expect(followedBy(a, [])).toBe(a)
  })
})

describe('chunks', () => {
  it('become a group of starmaps', () => {
    const unrolled = unrollChunks(withOptions(chunks(a, [[1], [2], [3]], 2), { queue: 'q' }))

    if (unrolled.kind !== 'group') throw new Error('no group')
    expect(unrolled.options).toEqual({ queue: 'q' })
    expect(unrolled.members).toMatchObject([
      { task: 'celery.starmap', kwargs: { it: [[1], [2]] }, immutable: true },
      { task: 'celery.starmap', kwargs: { it: [[3]] }, immutable: true },
    ])
  })

  it.each([{ it: 'text', n: 2 }, { it: [], n: 0 }, { it: [], n: 'x' }, {}])(
    'stay a call when they are none: %j',
    (kwargs) => {
      const odd = call('celery.chunks', { kwargs })

      expect(unrollChunks(odd)).toBe(odd)
    },
  )
})
