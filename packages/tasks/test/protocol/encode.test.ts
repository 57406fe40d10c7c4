import { describe, expect, it } from '@jest/globals'
import { encodeTask } from '../../src/protocol/encode.ts'
import { emptyEmbed, type OutgoingTask } from '../../src/protocol/task-message.ts'
import { parseIso } from '../../src/protocol/times.ts'
import { capturedMessages } from '../vectors.ts'

function task(over: Partial<OutgoingTask> = {}): OutgoingTask {
  return {
    id: 'i',
    task: 'proj.tasks.add',
    args: [1, 2],
    kwargs: {},
    embed: emptyEmbed,
    origin: 'gen1@host',
    replyTo: 'r',
    ...over,
  }
}

const nowMs = Date.UTC(2030, 0, 1)

describe('headers', () => {
  it('has the nineteen of the protocol, in its order', () => {
    const [theirs] = capturedMessages('task-simple')

    const { headers } = encodeTask(task(), nowMs)

    expect(Object.keys(headers)).toEqual(Object.keys(theirs!.headers))
  })

  it('writes null for what is not given and the own id as root', () => {
    expect(encodeTask(task(), nowMs).headers).toEqual({
      lang: 'js',
      task: 'proj.tasks.add',
      id: 'i',
      shadow: null,
      eta: null,
      expires: null,
      group: null,
      group_index: null,
      retries: 0,
      timelimit: [null, null],
      root_id: 'i',
      parent_id: null,
      argsrepr: '(1, 2)',
      kwargsrepr: '{}',
      origin: 'gen1@host',
      ignore_result: false,
      replaced_task_nesting: 0,
      stamped_headers: null,
      stamps: {},
    })
  })

  it('keeps zeros apart from nothing', () => {
    const { headers } = encodeTask(task({ groupIndex: 0, hardLimit: 0, softLimit: 0 }), nowMs)

    expect(headers).toMatchObject({ group_index: 0, timelimit: [0, 0] })
  })

  it('merges own headers flat, behind those of the protocol', () => {
    const { headers } = encodeTask(
      task({ headers: { 'x-tenant': 'acme', trace: { id: 7 } } }),
      nowMs,
    )

    expect(Object.entries(headers).slice(-2)).toEqual([
      ['x-tenant', 'acme'],
      ['trace', { id: 7 }],
    ])
  })

  it('gives every message stamps of its own, so that changing one changes no other', () => {
    expect(encodeTask(task(), nowMs).headers['stamps']).not.toBe(
      encodeTask(task(), nowMs).headers['stamps'],
    )
  })
})

describe('properties', () => {
  it('are persistent and name the task and where its result goes', () => {
    expect(encodeTask(task(), nowMs).properties).toEqual({
      correlationId: 'i',
      replyTo: 'r',
      deliveryMode: 2,
    })
  })

  it.each([
    [{ priority: 0 }, { priority: 0 }],
    [{ deliveryMode: 1 as const }, { deliveryMode: 1 }],
    [{ expires: '2030-01-01T00:01:00+00:00' }, { expirationMs: 60_000 }],
    [{ expires: '2029-01-01T00:01:00+00:00' }, { expirationMs: 0 }],
    [{ properties: { messageId: 'm-1', extra: { x: 1 } } }, { messageId: 'm-1', extra: { x: 1 } }],
    [{ properties: { correlationId: 'other' } }, { correlationId: 'i' }],
  ])('%j', (over, expected) => {
    expect(encodeTask(task(over), nowMs).properties).toMatchObject(expected)
  })
})

describe('the same message as Celery', () => {
  it.each<[string, Partial<OutgoingTask>]>([
    ['task-simple', { args: [2, 3] }],
    ['task-kwargs', { args: [], kwargs: { x: 1, y: 2 } }],
    ['task-noargs', { task: 'proj.tasks.nothing', args: [] }],
    ['task-shadow', { shadow: 'pretty.name' }],
    ['task-time-limits', { hardLimit: 60, softLimit: 50.5 }],
    ['task-ignore-result-option', { ignoreResult: true }],
    ['task-custom-headers', { headers: { 'x-tenant': 'acme', trace: { id: 7 } } }],
    ['task-delivery-transient', { deliveryMode: 1 }],
    ['task-eta-string', { eta: '2030-01-02T03:04:05Z' }],
    ['task-expires-seconds', { expires: '2026-11-20T07:47:12.389388+00:00' }],
    ['task-extra-properties', { properties: { messageId: 'm-1', appId: 'app', type: 'job' } }],
    ['stamp-simple', { stampedHeaders: ['tenant'], stamps: { tenant: 'acme' } }],
    ['amqp-task-simple', { args: [2, 3] }],
    ['amqp-task-priority', { priority: 7 }],
  ])('%s', (name, over) => {
    const [theirs] = capturedMessages(name)
    const { id, origin } = theirs!.headers as { id: string; origin: string }
    const { replyTo, priority } = theirs!.properties
    const sentMs = parseIso('2026-11-20T07:46:12.389388+00:00')!

    const ours = encodeTask(task({ id, origin, replyTo: replyTo!, priority, ...over }), sentMs)

    expect(ours.headers).toEqual({ ...theirs!.headers, lang: 'js' })
    expect(ours.properties).toEqual(theirs!.properties)
    expect(ours.body).toEqual(theirs!.body)
  })
})
