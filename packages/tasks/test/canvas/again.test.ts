import { describe, expect, it } from '@jest/globals'
import { replacement, retryCall } from '../../src/canvas/again.ts'
import { chain, chord, group } from '../../src/canvas/combinators.ts'
import { plan } from '../../src/canvas/plan.ts'
import { outgoing } from '../../src/canvas/outgoing.ts'
import { call, type Signature } from '../../src/canvas/signature.ts'
import { decodeMeta, decodePayload } from '../../src/protocol/decode.ts'
import { encodeTask } from '../../src/protocol/encode.ts'
import type { TaskMeta, TaskPayload } from '../../src/protocol/task-message.ts'
import { parseIso } from '../../src/protocol/times.ts'
import { capturedMessages, type Captured } from '../vectors.ts'
import { comparable, counter, published } from './published.ts'

interface Running {
  readonly meta: TaskMeta
  readonly payload: TaskPayload
}

function running({ headers, properties, body }: Captured): Running {
  const meta = decodeMeta(headers, properties)
  const payload = decodePayload(body)
  if (!meta.ok || !payload.ok) throw new Error('not a task')
  return { meta: meta.meta, payload: payload.payload }
}

function firstOf(signature: Signature): Running {
  return running(published(plan(signature, context()))[0]!)
}

function context() {
  return { nextId: counter(), replyTo: 'id-0' }
}

describe('a retry', () => {
  it('retry-message: the same as Celery', () => {
    const [first, second] = capturedMessages('retry-message')
    const { meta, payload } = running(first!)
    const sentMs = parseIso(second!.headers['eta'] as string)! - 900_000

    const again = retryCall(meta, payload, { countdown: 900 }, { replyTo: 'other' })
    const ours = encodeTask(outgoing(again, { nowMs: sentMs, origin: 'other' }), sentMs)

    expect(ours.headers).toEqual({ ...second!.headers, lang: 'js' })
    expect(ours.body).toEqual(second!.body)
    // Theirs also has the origin as a property, by accident.
    expect(ours.properties).toEqual({ ...second!.properties, extra: undefined })
  })

  const { meta, payload } = firstOf(
    chord([chain(call('a'), call('t', { args: [1], kwargs: { k: 1 } }))], call('sum')),
  )

  it('stays in its workflow', () => {
    const again = retryCall(meta, payload, {}, { replyTo: 'r' })

    expect(again.embed).toBe(payload.embed)
    expect(again).toMatchObject({ rootId: meta.rootId, parentId: meta.id, retries: 1 })
  })

  it('has an own time rather than a countdown', () => {
    const eta = new Date(0)

    const { options } = retryCall(meta, payload, { eta, countdown: 5 }, { replyTo: 'r' })

    expect(options).toMatchObject({ eta })
    expect(options).not.toHaveProperty('countdown')
  })

  it('may have other arguments, which are described anew', () => {
    const again = retryCall(meta, payload, { args: [7] }, { replyTo: 'r' })

    expect(again).toMatchObject({ args: [7], kwargs: payload.kwargs })
    expect(again.options).toMatchObject({ kwargsRepr: meta.kwargsRepr })
    expect(again.options).not.toHaveProperty('argsRepr')
  })

  it('may have other options', () => {
    const again = retryCall(
      meta,
      payload,
      { options: { priority: 9, queue: 'q' } },
      { replyTo: 'r' },
    )

    expect(again.options).toMatchObject({ priority: 9, queue: 'q' })
  })

  it('keeps stamps, limits, names and what it was told about its result', () => {
    const told: TaskMeta = {
      ...meta,
      stampedHeaders: ['a'],
      stamps: { a: 1 },
      hardLimit: 9,
      softLimit: 8,
      shadow: 's',
      ignoreResult: true,
    }

    const again = retryCall(told, payload, {}, { replyTo: 'r' })

    expect(again).toMatchObject({
      stampedHeaders: ['a'],
      stamps: { a: 1 },
      options: { timeLimit: 9, softTimeLimit: 8, shadow: 's', ignoreResult: true },
    })
  })
})

describe('a replacement', () => {
  it('task-replaced: the same as Celery', () => {
    const [theirs] = capturedMessages('task-replaced')
    const { id } = theirs!.headers as { id: string }
    const { meta, payload } = running({
      ...theirs!,
      headers: { id, task: 'proj.tasks.replace_me' },
      body: [[2, 5], {}, null],
    })

    const planned = replacement(meta, payload, call('proj.tasks.add', { args: [2, 5] }), context())

    expect(comparable(published(planned))).toEqual(comparable([theirs]))
  })

  it('takes over the place in a chord, the links and the rest of the chain', () => {
    const errback = call('oops')
    const member = chain(
      call('t', { options: { link: [call('c')], linkError: [errback] } }),
      call('u'),
    )
    const { meta, payload } = firstOf(chord([member], call('sum')))

    const { send, result } = replacement(meta, payload, call('other'), context())

    expect(result).toEqual([[meta.id, null], null])
    expect(send[0]!.embed).toEqual(payload.embed)
  })

  it('that is a chain gives its last result', () => {
    const { meta, payload } = firstOf(chord([call('t')], call('sum')))

    const { send, result } = replacement(meta, payload, chain(call('a'), call('b')), context())

    expect(result![0][0]).toBe(meta.id)
    expect(send[0]!.groupId).toBeUndefined()
    expect(send[0]!.embed.chain![0]!.options).toMatchObject({
      task_id: meta.id,
      group_id: meta.groupId,
      group_index: 0,
      chord: { task: 'sum' },
    })
  })

  it('that is a group gives one list', () => {
    const { meta, payload } = firstOf(chain(call('t'), call('next')))

    const { send, countdowns, result } = replacement(
      meta,
      payload,
      group([call('a'), call('b')]),
      context(),
    )

    expect(send.map((one) => one.task)).toEqual(['a', 'b'])
    expect(countdowns[0]!.body).toMatchObject({
      task: 'celery.accumulate',
      options: { task_id: meta.id, chain: [{ task: 'next' }] },
    })
    expect(result![0][0]).toBe(meta.id)
  })

  it('counts how often a task was replaced', () => {
    const { meta, payload } = firstOf(call('t'))

    const { send } = replacement({ ...meta, replacedTaskNesting: 2 }, payload, call('a'), context())

    expect(send[0]!.replacedTaskNesting).toBe(3)
  })

  it('is something', () => {
    const { meta, payload } = firstOf(call('t'))

    expect(() => replacement(meta, payload, chain(), context())).toThrow(
      expect.objectContaining({ code: 'TASKS_SIGNATURE_INVALID' }),
    )
  })
})
