import { describe, expect, it } from '@jest/globals'
import { chain, chord, group } from '../../src/canvas/combinators.ts'
import { next, type FinishedOutcome, type Next } from '../../src/canvas/next.ts'
import { plan } from '../../src/canvas/plan.ts'
import { call, type Signature } from '../../src/canvas/signature.ts'
import { toWire } from '../../src/canvas/wire.ts'
import { decodeMeta, decodePayload } from '../../src/protocol/decode.ts'
import { emptyEmbed, type TaskMeta, type TaskPayload } from '../../src/protocol/task-message.ts'
import { capturedMessages, loadVector, type Captured } from '../vectors.ts'
import { comparable, counter, published } from './published.ts'

interface Task {
  readonly meta: TaskMeta
  readonly payload: TaskPayload
}

function task({ headers, properties, body }: Captured): Task {
  const meta = decodeMeta(headers, properties)
  const payload = decodePayload(body)
  if (!meta.ok || !payload.ok) throw new Error('not a task')
  return { meta: meta.meta, payload: payload.payload }
}

/** The first message of a workflow, as a worker gets it. */
function firstOf(signature: Signature, place = 0): Task {
  return task(published(plan(signature, { nextId: counter('step'), replyTo: 'id-0' }))[place]!)
}

function context(replyTo = 'id-0') {
  return { nextId: counter(), replyTo }
}

const success = (value: unknown): FinishedOutcome => ({ kind: 'success', value })
const failure: FinishedOutcome = {
  kind: 'failure',
  exception: { exc_type: 'ValueError', exc_message: ['x'], exc_module: 'builtins' },
}
const sent = (follow: Next): Captured[] => follow.plans.flatMap(published)

describe('after a success', () => {
  it('chain-step-messages: each step sends the next, as Celery does', () => {
    const captured = capturedMessages('chain-step-messages')
    const results = [3, 9, { args: ['fixed'], kwargs: {} }]
    for (const [place, value] of results.entries()) {
      const { meta, payload } = task(captured[place]!)

      const follow = next({ meta, payload, outcome: success(value) }, context())

      const after = captured[place + 1]!
      expect(comparable([meta.id, sent(follow)])).toEqual(comparable([meta.id, [after]]))
      expect(follow.children).toEqual([[[after.headers['id'], null], null]])
    }
  })

  it('hands on null where the task gave nothing', () => {
    const { meta, payload } = firstOf(chain(call('a'), call('b')))

    const follow = next({ meta, payload, outcome: success(undefined) }, context())

    expect(follow.plans.map(({ send }) => send.map(({ args }) => args))).toEqual([[[null]]])
  })

  it('chain-step-messages: the last step sends nothing', () => {
    const { meta, payload } = task(capturedMessages('chain-step-messages')[3]!)

    expect(next({ meta, payload, outcome: success(1) }, context())).toEqual({
      plans: [],
      children: [],
      inline: [],
      parts: [],
      failed: [],
    })
  })

  it('link-message: a callback is called with the result', () => {
    const [callback] = capturedMessages('link-message')
    const { parent_id: id } = callback!.headers as { parent_id: string }
    const { meta, payload } = finished(id, [call('proj.tasks.mul', { args: [10] })])

    const follow = next({ meta, payload, outcome: success(4) }, context())

    expect(comparable(sent(follow))).toEqual(comparable([callback]))
  })

  it('link-many-messages: several callbacks go as one group, groups by themselves', () => {
    const captured = capturedMessages('link-many-messages')
    const { parent_id: id } = captured[0]!.headers as { parent_id: string }
    const ident = call('proj.tasks.ident')
    const mul = (n: number): Signature => call('proj.tasks.mul', { args: [n] })
    const { meta, payload } = finished(id, [mul(10), ident, group([ident, mul(3)])])

    const follow = next({ meta, payload, outcome: success(4) }, context())

    expect(comparable(sent(follow))).toEqual(comparable(captured))
    expect(follow.children.map(([, members]) => members?.length)).toEqual([2, 2])
  })

  it('several groups stay apart', () => {
    const { meta, payload } = finished('a', [group([call('x')]), group([call('y')])])

    const follow = next({ meta, payload, outcome: success(4) }, context())

    expect(follow.plans.map((one) => one.send.map((message) => message.task))).toEqual([
      ['x'],
      ['y'],
    ])
  })

  it('callbacks go before the next step', () => {
    const one = firstOf(chain(call('a', { options: { link: [call('c')] } }), call('b')))

    const follow = next({ ...one, outcome: success(4) }, context())

    expect(follow.plans.flatMap((plan) => plan.send.map((message) => message.task))).toEqual([
      'c',
      'b',
    ])
  })

  it('what follows gets the options it is to have', () => {
    const one = firstOf(chain(call('a'), call('b')))

    const follow = next({ ...one, outcome: success(4) }, { ...context(), options: { priority: 7 } })

    expect(follow.plans[0]!.send[0]!.options).toEqual({ priority: 7 })
  })

  it('the next step may be a chord, which goes on with the rest', () => {
    const one = firstOf(chain(call('a'), group([call('b'), call('c')]), call('d'), call('e')))

    const follow = next({ ...one, outcome: success(4) }, context())

    const [planned] = follow.plans
    expect(planned!.send.map(({ task, args }) => [task, args])).toEqual([
      ['b', [4]],
      ['c', [4]],
    ])
    expect(planned!.countdowns).toMatchObject([{ size: 2, body: { subtask_type: 'chain' } }])
    expect(planned!.send[0]!.embed.chord!.options).toMatchObject({
      task_id: planned!.result![0][0],
    })
  })

  it('a part of a chord is to be counted', () => {
    const one = firstOf(chord([call('a'), call('b')], call('sum')), 1)

    const { parts, plans } = next({ ...one, outcome: success(4) }, context())

    expect(plans).toEqual([])
    expect(parts).toEqual([
      {
        taskId: one.meta.id,
        groupId: one.meta.groupId,
        groupIndex: 1,
        body: one.payload.embed.chord,
        rootId: one.meta.rootId,
      },
    ])
  })

  it('a member of a group that is no chord is not', () => {
    const one = firstOf(group([call('a')]))

    expect(next({ ...one, outcome: success(4) }, context()).parts).toEqual([])
  })

  it('says so when a callback is no signature', () => {
    const { meta } = finished('a', [])
    const payload = { args: [], kwargs: {}, embed: { ...emptyEmbed, callbacks: [{} as never] } }

    expect(() => next({ meta, payload, outcome: success(4) }, context())).toThrow(
      expect.objectContaining({ code: 'TASKS_SIGNATURE_INVALID' }),
    )
  })
})

/** A task that is its own root, with callbacks for success and failure. */
function finished(id: string, callbacks: Signature[], errbacks: Signature[] = []): Task {
  const read = decodeMeta({ id, task: 'proj.tasks.add' }, {})
  if (!read.ok) throw new Error(read.detail)
  return {
    meta: read.meta,
    payload: {
      args: [],
      kwargs: {},
      embed: {
        ...emptyEmbed,
        callbacks: callbacks.map((one) => toWire(one)),
        errbacks: errbacks.map((one) => toWire(one)),
      },
    },
  }
}

describe('after a failure', () => {
  it('link-error-message: error callbacks get the failed id', () => {
    const [errback] = capturedMessages('link-error-message')
    const { parent_id: id } = errback!.headers as { parent_id: string }
    const { meta, payload } = finished(id, [call('never')], [call('proj.tasks.errback_id')])

    const follow = next({ meta, payload, outcome: failure }, context())

    expect(comparable(sent(follow))).toEqual(comparable([errback]))
    expect(follow.children).toEqual([])
  })

  it('those that can be called here are not sent', () => {
    const { meta, payload } = finished(
      'a',
      [],
      [call('here'), call('there'), group([call('here')])],
    )

    const follow = next(
      { meta, payload, outcome: failure },
      { ...context(), isInline: (errback) => errback.task === 'here' },
    )

    expect(follow.inline.map((one) => one.errback.task)).toEqual(['here'])
    expect(follow.plans.flatMap((one) => one.send.map((message) => message.task))).toEqual([
      'there',
      'here',
    ])
  })

  it('result-chain-failure: every later step fails, too', () => {
    const keys = (loadVector('result-chain-failure')['redis'] as unknown[]).length
    const one = firstOf(chain(call('fail'), call('b'), call('c')))

    const { failed, plans } = next({ ...one, outcome: failure }, context())

    expect(plans).toEqual([])
    expect(failed.map(({ id }) => id)).toEqual(stepIds(one))
    expect(failed).toHaveLength(keys - 1)
  })

  it('all of a chord that will not come fails', () => {
    const one = firstOf(chain(call('fail'), group([call('b'), call('c')]), call('sum')))

    const { failed, parts } = next({ ...one, outcome: failure }, context())

    const [step] = one.payload.embed.chain!
    const ids = JSON.stringify(step).match(/"task_id":"step-\d+"/g)!
    expect(failed).toHaveLength(3)
    for (const { id } of failed) expect(ids).toContain(`"task_id":"${id}"`)
    expect(parts).toEqual([])
  })

  it('a chain in the header of a chord counts as failed at once', () => {
    const member = chain(call('fail'), call('b'), call('c'))
    const one = firstOf(chord([member, call('d')], call('sum')))

    const { failed, parts } = next({ ...one, outcome: failure }, context())

    expect(failed).toHaveLength(2)
    expect(parts).toMatchObject([{ taskId: failed[1]!.id, groupIndex: 0, body: { task: 'sum' } }])
    expect(failed[1]!.groupId).toBe(parts[0]!.groupId)
  })

  it('so does a header member whose chord will not come', () => {
    const member = chain(call('fail'), group([call('b'), call('c')]))
    const one = firstOf(chord([member, call('d')], call('sum')))

    const { parts } = next({ ...one, outcome: failure }, context())

    expect(parts).toMatchObject([{ groupIndex: 0, body: { task: 'sum' } }])
  })

  it('a part of a chord is counted as failed', () => {
    const one = firstOf(chord([call('a')], call('sum')))

    expect(next({ ...one, outcome: failure }, context()).parts).toMatchObject([
      { taskId: one.meta.id, groupIndex: 0 },
    ])
  })
})

/** Ids of the later steps in the order in which they would have run. */
function stepIds({ payload }: Task): unknown[] {
  return payload.embed.chain!.map((step) => step.options['task_id']).reverse()
}
