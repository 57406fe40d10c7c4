import { describe, expect, it } from '@jest/globals'
import {
  call,
  chain,
  chord,
  group,
  link,
  linkError,
  plan,
  stamp,
  type Signature,
  type StampingVisitor,
} from '../../src/canvas/index.ts'
import { stampsOf } from '../../src/canvas/signature.ts'

const [a, b, c] = ['a', 'b', 'c'].map((name) => call(name)) as [Signature, Signature, Signature]

/** The stamps of every call, by the name of its task; links are marked by an arrow. */
function stampsIn(signature: Signature, found: Record<string, unknown> = {}, mark = ''): object {
  const { options } = signature
  if (signature.kind === 'call') found[mark + signature.task] = stampsOf(options)
  for (const one of [...(options.link ?? []), ...(options.linkError ?? [])])
    stampsIn(one, found, '→')
  const parts =
    signature.kind === 'chain'
      ? signature.steps
      : signature.kind === 'group'
        ? signature.members
        : signature.kind === 'chord'
          ? [...signature.header, signature.body]
          : []
  for (const part of parts) stampsIn(part, found, mark)
  return found
}

describe('stamps', () => {
  it('reach every task of a workflow, and what is linked to it', () => {
    const whole = chain(
      a,
      chord([b, link(c, call('linked'))], linkError(call('body'), call('failed'))),
    )

    expect(stampsIn(stamp(whole, { tenant: 'x' }))).toEqual({
      a: { tenant: 'x' },
      b: { tenant: 'x' },
      c: { tenant: 'x' },
      body: { tenant: 'x' },
      '→linked': { tenant: 'x' },
      '→failed': { tenant: 'x' },
    })
    expect(stampsIn(whole)).toMatchObject({ a: undefined, body: undefined })
  })

  it('are added to those that are there; the newest of a name stays, or all of them', () => {
    const once = stamp(a, { who: 'ann', at: 1 })

    expect(stampsIn(stamp(once, { who: 'bob' }))).toEqual({ a: { who: 'bob', at: 1 } })
    expect(stampsIn(stamp(once, { who: 'bob' }, { append: true }))).toEqual({
      a: { who: ['ann', 'bob'], at: 1 },
    })
    expect(stampsIn(stamp(once, { who: 'ann' }, { append: true }))).toEqual({
      a: { who: ['ann'], at: 1 },
    })
  })

  it('are what a visitor gives at each place, in the order of the workflow', () => {
    const visited: string[] = []
    const visit =
      (place: string) =>
      (signature: Signature): Record<string, unknown> => {
        visited.push(`${place} ${signature.kind === 'call' ? signature.task : signature.kind}`)
        return { [place]: true }
      }
    const visitor: StampingVisitor = {
      onSignature: visit('sig'),
      onChainStart: visit('chain'),
      onChainEnd: (one) => void visit('chainEnd')(one),
      onGroupStart: visit('group'),
      onGroupEnd: (one) => void visit('groupEnd')(one),
      onChordHeaderStart: visit('header'),
      onChordHeaderEnd: (one) => void visit('headerEnd')(one),
      onChordBody: visit('body'),
      onCallback: visit('callback'),
      onErrback: visit('errback'),
    }
    const whole = chain(link(a, call('next')), chord([b], linkError(c, call('oops'))))

    const stamped = stampsIn(stamp(whole, {}, { visitor }))
    expect(stamped).toEqual({
      a: { chain: true, sig: true },
      '→next': { chain: true, callback: true, sig: true },
      b: { chain: true, header: true, sig: true },
      c: { chain: true, header: true, body: true, sig: true },
      '→oops': { chain: true, header: true, body: true, errback: true, sig: true },
    })
    expect(visited).toEqual([
      'chain chain',
      'callback next',
      'sig next',
      'sig a',
      'header chord',
      'sig b',
      'headerEnd chord',
      'body chord',
      'errback oops',
      'sig oops',
      'sig c',
      'chainEnd chain',
    ])
    visited.length = 0
    stamp(group([a, b]), {}, { visitor })
    expect(visited).toEqual(['group group', 'sig a', 'sig b', 'groupEnd group'])
  })

  it('are only the names a visitor says are; the others are properties of the message', () => {
    const visitor: StampingVisitor = {
      onSignature: () => ({ seen: 1, MessageGroupId: 'g', stampedHeaders: ['seen'] }),
    }
    const ids = ['1', '2'].values()
    const planned = plan(stamp(a, {}, { visitor }), {
      nextId: () => ids.next().value!,
      replyTo: 'r',
    })

    expect(planned.send[0]).toMatchObject({
      stampedHeaders: ['seen'],
      stamps: { seen: 1 },
      options: { extra: { MessageGroupId: 'g' } },
    })
    expect(planned.send[0]!.options.extra).not.toHaveProperty('seen')
  })
})
