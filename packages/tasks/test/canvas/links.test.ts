import { describe, expect, it } from '@jest/globals'
import { chain, chord, group } from '../../src/canvas/combinators.ts'
import { link, linkAll, linkError } from '../../src/canvas/links.ts'
import { plan } from '../../src/canvas/plan.ts'
import { call, withImmutable } from '../../src/canvas/signature.ts'
import { counter } from './published.ts'

const a = call('a')
const b = call('b')
const done = call('done')
const oops = call('oops')

/** What is sent or carried along with which links. */
function linksOf(signature: Parameters<typeof plan>[0]): Record<string, unknown[]> {
  const found: Record<string, unknown[]> = {}
  const { send, countdowns } = plan(signature, { nextId: counter(), replyTo: 'r' })
  const names = (list: unknown): unknown[] =>
    ((list ?? []) as { task: string }[]).map((one) => one.task)
  for (const { task, embed } of send) {
    found[task] = [...names(embed.callbacks), ...names(embed.errbacks)]
    for (const step of embed.chain ?? []) {
      found[step.task] = [...names(step.options['link']), ...names(step.options['link_error'])]
    }
  }
  for (const { body } of countdowns) {
    found[body.task] = [...names(body.options['link']), ...names(body.options['link_error'])]
  }
  return found
}

describe('a callback', () => {
  it('of a chain comes after its last step', () => {
    expect(linksOf(link(chain(a, b), done))).toEqual({ a: [], b: ['done'] })
  })

  it('of a group comes after its first member, without the result', () => {
    const linked = link(group([a, b]), done)

    expect(linked.members.map((one) => one.options.link)).toEqual([
      [withImmutable(done)],
      undefined,
    ])
    expect(link(group([]), done)).toEqual(group([]))
  })

  it('of a chord comes after its body', () => {
    expect(linksOf(link(chord([a], b), done))).toEqual({ a: [], b: ['done'] })
  })
})

describe('an error callback', () => {
  it('of a chain is one of every step', () => {
    expect(linksOf(linkError(chain(a, b), oops))).toEqual({ a: ['oops'], b: ['oops'] })
  })

  it('of a group is one of every member', () => {
    expect(linksOf(linkError(group([a, b]), oops))).toEqual({ a: ['oops'], b: ['oops'] })
  })

  it('of a chord is one of its body', () => {
    expect(linksOf(linkError(chord([a], b), oops))).toEqual({ a: [], b: ['oops'] })
  })

  it('of a chord is one of its header on request, and always of chords in there', () => {
    const inner = chord([call('c')], call('d'))

    expect(linksOf(linkError(chord([a], b), oops, { onChordHeader: true }))).toEqual({
      a: ['oops'],
      b: ['oops'],
    })
    expect(linksOf(linkError(chord([inner, a], b), oops))).toEqual({
      a: [],
      b: ['oops'],
      c: [],
      d: ['oops'],
    })
  })
})

describe('links', () => {
  it('are kept once each, in order', () => {
    const linked = linkAll(a, [done, b, call('done')], [oops, call('oops')])

    expect(linked.options).toEqual({ link: [done, b], linkError: [oops] })
  })

  it('do not change what they are put on', () => {
    link(a, done)

    expect(a.options).toEqual({})
  })
})
