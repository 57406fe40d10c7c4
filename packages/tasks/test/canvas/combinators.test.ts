import { describe, expect, it } from '@jest/globals'
import {
  chain,
  chord,
  chunks,
  group,
  pipe,
  skew,
  xmap,
  xstarmap,
} from '../../src/canvas/combinators.ts'
import { link, linkError } from '../../src/canvas/links.ts'
import { call, withOptions, type Signature } from '../../src/canvas/signature.ts'
import { toWire } from '../../src/canvas/wire.ts'
import { loadVector } from '../vectors.ts'

const t0 = call('t0')
const t1 = call('t1')
const t2 = call('t2')
const t3 = call('t3')
const t4 = call('t4')
const t5 = call('t5')
const t6 = call('t6')
const t7 = call('t7')
const t9 = call('t9')

/** t = task, [ ] = chain, g[ ] = group, c(header; body) = chord. */
function shown(signature: Signature): string {
  const list = (all: readonly Signature[]): string => all.map(shown).join(',')
  switch (signature.kind) {
    case 'call':
      return signature.task
    case 'chain':
      return `[${list(signature.steps)}]`
    case 'group':
      return `g[${list(signature.members)}]`
    case 'chord':
      return `c(${list(signature.header)};${shown(signature.body)})`
  }
}

const g12 = group([t1, t2])
const g34 = group([t3, t4])
const g9 = group([t9])
const none = group([])
const c = chord([t1, t2], t5)

describe('how parts join, as Celery was seen to do it', () => {
  it.each<[string, Signature, string]>([
    ['t | t', pipe(t1, t2), '[t1,t2]'],
    ['t | chain', pipe(t1, chain(t2, t3)), '[t1,t2,t3]'],
    ['chain | chain', pipe(chain(t1, t2), chain(t3, t4)), '[t1,t2,t3,t4]'],
    ['t | g', pipe(t1, g34), '[t1,g[t3,t4]]'],
    ['t | group of one', pipe(t1, g9), '[t1,t9]'],
    ['t | empty group', pipe(t1, none), '[t1,g[]]'],
    ['g | t', pipe(g12, t5), 'c(t1,t2;t5)'],
    ['group of one | t', pipe(g9, t5), 'c(t9;t5)'],
    ['g | chain', pipe(g12, chain(t5, t6)), 'c(t1,t2;[t5,t6])'],
    ['g | g', pipe(g12, g34), 'c(t1,t2;g[t3,t4])'],
    ['g | empty group', pipe(g12, none), 'g[t1,t2]'],
    ['chain ending in g | t', pipe(pipe(t0, g12), t5), '[t0,c(t1,t2;t5)]'],
    ['… | t', pipe(pipe(pipe(t0, g12), t5), t6), '[t0,c(t1,t2;[t5,t6])]'],
    ['chain ending in g | g', pipe(pipe(t0, g12), g34), '[t0,g[t1,t2],g[t3,t4]]'],
    ['… | t', pipe(pipe(pipe(t0, g12), g34), t7), '[t0,g[t1,t2],c(t3,t4;t7)]'],
    ['c | t', pipe(c, t6), 'c(t1,t2;[t5,t6])'],
    ['c | group of one', pipe(c, g9), 'c(t1,t2;[t5,t9])'],
    ['c | g', pipe(c, g34), '[c(t1,t2;t5),g[t3,t4]]'],
    ['c | chain', pipe(c, chain(t6, t7)), '[c(t1,t2;t5),t6,t7]'],
    ['c | c', pipe(c, chord([t3], t6)), 'c(t1,t2;[t5,c(t3;t6)])'],
    ['t | c', pipe(t0, c), '[t0,c(t1,t2;t5)]'],
    ['chain ending in c | t', pipe(pipe(t0, c), t6), '[t0,c(t1,t2;[t5,t6])]'],
    ['chain ending in c | g', pipe(pipe(t0, c), g34), '[t0,c(t1,t2;[t5,g[t3,t4]])]'],
    ['chain ending in c | c', pipe(pipe(t0, c), c), '[t0,c(t1,t2;t5),c(t1,t2;t5)]'],
    ['chain(g, t)', chain(g12, t5), 'c(t1,t2;t5)'],
    ['chain(empty group, t)', chain(none, t1), 'c(;t1)'],
    ['chain(t, chain(t, t))', chain(t1, chain(t2, t3)), '[t1,t2,t3]'],
    ['chain(t)', chain(t1), '[t1]'],
    ['chain()', chain(), '[]'],
    ['chain(chain)', chain(chain(t1, t2)), '[t1,t2]'],
    ['chain(g)', chain(g12), '[g[t1,t2]]'],
    ['group(g)', group([g12]), 'g[g[t1,t2]]'],
    ['t | group of one group', pipe(t0, group([g12])), '[t0,g[g[t1,t2]]]'],
    ['chord(g, t)', chord(g12, t5), 'c(t1,t2;t5)'],
    ['chord(t, t)', chord(t1, t5), 'c(t1;t5)'],
    ['chord(chunks, t)', chord(chunks(t1, [[1], [2]], 2), t5), 'c(celery.starmap;t5)'],
    ['chunks | t', pipe(chunks(t1, [[1], [2], [3]], 2), t5), 'c(celery.starmap,celery.starmap;t5)'],
    ['t | chunks', pipe(t0, chunks(t1, [[1], [2]], 1)), '[t0,g[celery.starmap,celery.starmap]]'],
  ])('%s', (_name, joined, expected) => {
    expect(shown(joined)).toBe(expected)
  })
})

describe('what a workflow says of itself', () => {
  it('stays with the steps it was said of when more are added', () => {
    const first = linkError(link(chain(t1, t2), t6), t7)

    const longer = pipe(first, t3)

    if (longer.kind !== 'chain') throw new Error('no chain')
    const [one, two, three] = longer.steps
    expect(one!.options).toEqual({ linkError: [t7] })
    expect(two!.options).toEqual({ link: [t6], linkError: [t7] })
    expect(three!.options).toEqual({})
  })

  it('goes along when a group becomes a chord', () => {
    const joined = pipe(withOptions(g12, { queue: 'q', taskId: 'gid' }), t5)

    if (joined.kind !== 'chord') throw new Error('no chord')
    expect(joined.headerId).toBe('gid')
    expect(joined.header.map((one) => one.options)).toEqual([{ queue: 'q' }, { queue: 'q' }])
  })
})

describe('calls over lists', () => {
  const vectors = loadVector('signature-mappings')['signatures'] as Record<
    string,
    { parsed: unknown }
  >
  const ident = call('proj.tasks.ident')
  const add = call('proj.tasks.add')
  it.each<[string, Signature]>([
    ['xmap', xmap(ident, [1, 2])],
    ['xstarmap', xstarmap(add, [[1, 2]])],
    [
      'chunks',
      chunks(
        add,
        [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        2,
      ),
    ],
  ])('%s: the same as Celery', (name, signature) => {
    expect(toWire(signature)).toEqual(vectors[name]!.parsed)
  })

  it.each([0, -1, 1.5, NaN])('refuses chunks of %d', (size) => {
    expect(() => chunks(t1, [[1]], size)).toThrow(
      expect.objectContaining({ code: 'TASKS_ARGUMENTS_INVALID' }),
    )
  })
})

describe('skew', () => {
  const countdowns = (one: ReturnType<typeof skew>): unknown[] =>
    one.members.map((member) => member.options.countdown)

  it('delays each member more than the one before', () => {
    expect(countdowns(skew(group([t1, t2, t3]), 1, undefined, 0.5))).toEqual([1, 1.5, 2])
  })

  it('stays at the stop once it is reached', () => {
    expect(countdowns(skew(group([t1, t2, t3, t4]), 0, 2, 1.5))).toEqual([0, 1.5, 1.5, 1.5])
    expect(countdowns(skew(group([t1, t2, t3]), 0, 1))).toEqual([0, 1, 1])
  })

  it('leaves the group it was given alone', () => {
    skew(g12)

    expect(g12.members[0]!.options).toEqual({})
  })
})
