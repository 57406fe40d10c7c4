import { describe, expect, it } from '@jest/globals'
import { chain, chord, group } from '../../src/canvas/combinators.ts'
import {
  chordBody,
  chordFailure,
  dependencyText,
  joinsLater,
  type JoinContext,
} from '../../src/canvas/join.ts'
import { link } from '../../src/canvas/links.ts'
import { plan } from '../../src/canvas/plan.ts'
import { call, type Signature } from '../../src/canvas/signature.ts'
import type { WireSignature } from '../../src/protocol/task-message.ts'
import { capturedMessages, loadVector } from '../vectors.ts'
import { comparable, counter, published } from './published.ts'

/** The body of `chord([part], body)` as its part carries it. */
function carried(body: Signature): WireSignature {
  const planned = plan(chord([call('part')], body), { nextId: counter('step'), replyTo: 'id-0' })
  return planned.countdowns[0]!.body
}

function context(over: Partial<JoinContext> = {}): JoinContext {
  return { nextId: counter(), replyTo: 'id-0', parentId: 'id-7', rootId: 'id-8', ...over }
}

const errback = (name: string): Signature => call(name)

describe('the body of a chord', () => {
  it('chord-body-message: gets the results in one list', () => {
    const [theirs] = capturedMessages('chord-body-message')
    const { parent_id: parentId, root_id: rootId } = theirs!.headers as Record<string, string>

    const planned = chordBody(
      carried(call('proj.tasks.xsum')),
      [2, 4, 6],
      context({ parentId: parentId!, rootId: rootId! }),
    )

    expect(comparable(published(planned))).toEqual(comparable([theirs]))
  })

  it('may be a chain, of which the first step is sent', () => {
    const [first] = chordBody(carried(chain(call('a'), call('b'))), [1], context()).send

    expect(first).toMatchObject({ task: 'a', args: [[1]], parentId: 'id-7', rootId: 'id-8' })
    expect(first!.embed.chain).toMatchObject([{ task: 'b' }])
  })

  it('may be a group, whose members all get the list', () => {
    const { send, result } = chordBody(carried(group([call('a'), call('b')])), [1, 2], context())

    expect(send.map(({ task, args }) => [task, args])).toEqual([
      ['a', [[1, 2]]],
      ['b', [[1, 2]]],
    ])
    expect(result![0][0]).toBe(send[0]!.groupId)
  })

  it('goes on with what follows the chord', () => {
    const body = carried(call('sum', { options: { chain: [call('after')] } }))

    expect(chordBody(body, [1], context()).send[0]!.embed.chain).toMatchObject([{ task: 'after' }])
  })

  it('counts for the chord around it', () => {
    const inner = chord([call('a')], call('inner'))
    const { send } = plan(chord([inner], call('outer')), context())

    const [body] = chordBody(send[0]!.embed.chord!, [1], context()).send

    expect(body!.embed.chord).toMatchObject({ task: 'outer' })
    expect(body!.groupId).toBe(body!.embed.chord!.options['group_id'])
    expect(body!.groupIndex).toBe(0)
  })

  it('says so when it is no signature', () => {
    expect(() => chordBody({} as never, [], context())).toThrow(
      expect.objectContaining({ code: 'TASKS_SIGNATURE_INVALID' }),
    )
  })
})

describe('a chord of which a part failed', () => {
  it('chord-failure: names the part and its error', () => {
    const records = loadVector('chord-failure')['redis'] as { key: string; parsed: Parsed }[]
    const part = records.find(({ parsed }) => parsed.result?.exc_type === 'ValueError')!
    const body = records.find(({ parsed }) => parsed.result?.exc_type === 'ChordError')!

    const text = dependencyText(part.parsed.task_id, part.parsed.result!)

    expect([text]).toEqual(body.parsed.result!.exc_message)
  })

  it('fails its body and calls the error callbacks of that', () => {
    const body = carried(call('sum', { options: { linkError: [errback('oops')] } }))
    const id = body.options['task_id']

    const { failed, plans, parts } = chordFailure(body, context())

    expect(failed).toMatchObject([{ id }])
    expect(parts).toEqual([])
    expect(plans[0]!.send).toMatchObject([
      { task: 'oops', args: [id], parentId: id, rootId: 'id-8' },
    ])
  })

  it('calls those here that can be', () => {
    const body = carried(call('sum', { options: { linkError: [errback('oops')] } }))

    const { inline, plans } = chordFailure(body, context({ isInline: () => true }))

    expect(inline.map(({ errback, failed }) => [errback.task, failed.id])).toEqual([
      ['oops', expect.any(String)],
    ])
    expect(plans).toEqual([])
  })

  it('fails every step of a body that is a chain', () => {
    const body = carried(chain(call('a', { options: { linkError: [errback('oops')] } }), call('b')))

    const { failed, plans } = chordFailure(body, context())

    expect(failed).toHaveLength(2)
    expect(failed[1]!.id).toBe(body.options['task_id'])
    expect(plans[0]!.send).toMatchObject([{ task: 'oops', args: [failed[0]!.id] }])
  })

  it('fails every member of a body that is a group', () => {
    const { failed } = chordFailure(carried(group([call('a'), call('b')])), context())

    expect(failed).toHaveLength(2)
  })

  it('fails what follows the chord', () => {
    const planned = plan(
      chain(chord([call('a')], call('sum')), group([call('b'), call('c')])),
      context(),
    )

    const { failed } = chordFailure(planned.countdowns[0]!.body, context())

    expect(failed).toHaveLength(3)
    const [b, c] = planned.result![1]!
    expect(failed.slice(1).map(({ id }) => id)).toEqual([b![0][0], c![0][0]])
  })

  it('is a failed part of the chord around it', () => {
    const { send } = plan(chord([chord([call('a')], call('inner'))], call('outer')), context())
    const body = send[0]!.embed.chord!

    const { parts } = chordFailure(body, context())

    expect(parts).toMatchObject([
      {
        taskId: body.options['task_id'],
        groupId: body.options['group_id'],
        body: { task: 'outer' },
      },
    ])
  })
})

interface Parsed {
  readonly task_id: string
  readonly result?: { exc_type: string; exc_message: unknown[]; exc_module: string }
}

describe('joins that come later', () => {
  const [a, b] = [call('a'), call('b')]
  const laterIn = (signature: Signature): boolean =>
    joinsLater(plan(signature, { nextId: counter(), replyTo: 'id-0' }))

  it.each([
    ['a step of a chain', chain(a, group([a, b]), b)],
    ['a member of a group after a step', chain(a, group([a, chain(a, group([a, b]), b)]))],
    ['a callback', link(a, chord([a, b], b))],
    ['a step of a callback', link(a, chain(a, group([a, b]), b))],
  ])('are seen as %s', (_name, signature) => {
    expect(laterIn(signature)).toBe(true)
  })

  it.each([
    ['a chain', chain(a, b, a)],
    ['a group at the end', chain(a, group([a, b]))],
    ['a chord at once', chord([a, b], a)],
  ])('are not seen in %s', (_name, signature) => {
    expect(laterIn(signature)).toBe(false)
  })
})
