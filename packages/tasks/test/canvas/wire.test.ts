import { describe, expect, it } from '@jest/globals'
import { chain, chord, group } from '../../src/canvas/combinators.ts'
import { plan } from '../../src/canvas/plan.ts'
import { call, withImmutable, type Signature } from '../../src/canvas/signature.ts'
import { fromWire, toWire } from '../../src/canvas/wire.ts'
import type { WireSignature } from '../../src/protocol/task-message.ts'
import { capturedMessages, loadVector } from '../vectors.ts'
import { counter } from './published.ts'

const signatures = loadVector('signature-mappings')['signatures'] as Record<
  string,
  { parsed: WireSignature; text: string }
>
const add = (...args: unknown[]): Signature => call('proj.tasks.add', { args })
const mul = (...args: unknown[]): Signature => call('proj.tasks.mul', { args })
const xsum = call('proj.tasks.xsum')
const ident = call('proj.tasks.ident')

describe('signatures of every kind', () => {
  it.each(Object.keys(signatures))('%s comes back as it was', (name) => {
    const { parsed } = signatures[name]!

    expect(toWire(fromWire(parsed))).toEqual(parsed)
  })

  it.each<[string, Signature]>([
    ['task-s', call('proj.tasks.add', { args: [1], kwargs: { y: 2 } })],
    [
      'task-si-options',
      withImmutable(
        call('proj.tasks.add', {
          args: [1, 2],
          options: {
            queue: 'q',
            countdown: 3,
            priority: 4,
            expires: 10,
            timeLimit: 9,
            link: [ident],
          },
        }),
      ),
    ],
    ['by-name', call('remote.job', { args: [1], kwargs: { a: 1 }, options: { queue: 'x' } })],
    ['chain', chain(add(1, 2), mul(3))],
    ['group', group([add(1, 2), mul(3, 4)])],
    ['chord', chord([add(1, 2), mul(3, 4)], xsum)],
    ['chain-with-group', chain(add(1, 2), group([add(1), mul(2)]))],
    ['chain-with-chord', chain(add(1, 2), group([add(1), mul(2)]), xsum, ident)],
    ['group-of-chains', group([chain(add(1, 2), mul(3)), add(1, 1)])],
  ])('%s is built and written as by Celery, in the same order', (name, signature) => {
    // Celery's own text has a space after each comma and colon.
    const text = JSON.stringify(JSON.parse(signatures[name]!.text))

    expect(JSON.stringify(toWire(signature))).toBe(text)
  })
})

describe('what messages carry', () => {
  const carriers = [
    'canvas-chain-3',
    'canvas-chain-options',
    'canvas-chain-in-chord',
    'canvas-link-many',
    'canvas-chord-of-chords',
    'canvas-group-pipe-group',
    'canvas-task-pipe-group',
    'canvas-chord-pipe-group',
    'stamp-visitor-chain',
    'chain-step-messages',
    'proto1-chain',
  ]

  it.each(carriers)('%s comes back as it was, but for what means nothing', (name) => {
    for (const { body } of capturedMessages(name)) {
      for (const one of signaturesIn(body)) expect(toWire(fromWire(one))).toEqual(withoutNulls(one))
    }
  })

  it('canvas-chord-in-chain: a frozen chord keeps the id of its header', () => {
    const [message] = capturedMessages('canvas-chord-in-chain')
    const [theirs] = signaturesIn(message!.body)

    const read = fromWire(theirs)

    expect(read).toMatchObject({ kind: 'chord', headerId: theirs!.options['task_id'] })
    expect(read.options.taskId).toBeUndefined()
    expect(toWire(read).kwargs['header']).toMatchObject({
      subtask_type: 'group',
      options: { task_id: theirs!.options['task_id'] },
    })
  })
})

/** The outermost signatures somewhere in a body. */
function signaturesIn(value: unknown): WireSignature[] {
  if (typeof value !== 'object' || value === null) return []
  if ('subtask_type' in value) return [value as WireSignature]
  return Object.values(value).flatMap(signaturesIn)
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const { options, ...rest } = value as Record<string, unknown>
  const kept = Object.entries(options ?? {}).filter(
    ([key, one]) => one !== null && key !== 'add_to_parent',
  )
  const inner = Object.fromEntries(
    Object.entries(rest).map(([key, one]) => [key, withoutNulls(one)]),
  )
  const own = Object.fromEntries(kept.map(([key, one]) => [key, withoutNulls(one)]))
  return options === undefined ? inner : { ...inner, options: own }
}

describe('options', () => {
  const all = {
    taskId: 'a',
    groupId: 'b',
    groupIndex: 0,
    rootId: 'c',
    parentId: 'd',
    replyTo: 'e',
    countdown: 1,
    queue: 'q',
    exchange: 'x',
    routingKey: 'k',
    priority: 0,
    serializer: 'json',
    compression: 'zstd',
    deliveryMode: 1,
    timeLimit: 2,
    softTimeLimit: 1,
    ignoreResult: true,
    shadow: 's',
    argsRepr: '(…)',
    kwargsRepr: '{…}',
    retries: 1,
    replacedTaskNesting: 1,
    headers: { h: 1 },
    stampedHeaders: ['n'],
    eta: '2030-01-01T00:00:00',
    expires: 5,
    link: [ident],
    linkError: [ident],
    chain: [ident],
    chord: ident,
    extra: { n: 3, unknown_option: true },
  } as const

  it('are all written in snake case and read again', () => {
    const wire = toWire(call('t', { options: all }))

    expect(Object.keys(wire.options).filter((name) => /[A-Z]/.test(name))).toEqual([])
    expect(wire.options).toMatchObject({ soft_time_limit: 1, n: 3, unknown_option: true })
    expect(fromWire(wire).options).toEqual(all)
  })

  it('have dates as text', () => {
    const options = { eta: new Date(0), expires: new Date(1) }

    expect(toWire(call('t', { options })).options).toEqual({
      eta: '1970-01-01T00:00:00+00:00',
      expires: '1970-01-01T00:00:00.001000+00:00',
    })
  })

  it.each([
    [{ delivery_mode: 'transient' }, { deliveryMode: 1 }],
    [{ delivery_mode: 'persistent' }, { deliveryMode: 2 }],
    [{ queue: null }, {}],
    [{ add_to_parent: false, immutable: true }, {}],
    [{ link: { task: 'ident' } }, { link: [call('ident')] }],
  ])('%j are read as they are meant', (options, expected) => {
    expect(fromWire({ task: 't', options }).options).toEqual(expected)
  })
})

describe('what others leave out', () => {
  it.each<[unknown, Signature]>([
    [{ task: 't' }, call('t')],
    [{ task: 't', args: null, kwargs: null, options: null }, call('t')],
    [{ task: 'celery.chain', kwargs: { tasks: [{ task: 't' }] } }, chain(call('t'))],
    [
      { task: 't', subtask_type: 'odd' },
      { ...call('t'), subtaskType: 'odd' },
    ],
  ])('%j', (wire, expected) => {
    expect(fromWire(wire)).toEqual(expected)
  })

  it('of a chord: its header may be a group with arguments and options for all', () => {
    const header = {
      task: 'celery.group',
      args: [9],
      kwargs: { tasks: [{ task: 't', args: [1] }] },
      options: { queue: 'q', task_id: 'gid', chord: { task: 'x' } },
      subtask_type: 'group',
    }

    const read = fromWire({
      task: 'celery.chord',
      kwargs: { header, body: { task: 'b' } },
      subtask_type: 'chord',
    })

    expect(read).toMatchObject({
      headerId: 'gid',
      header: [{ args: [9, 1], options: { queue: 'q' } }],
    })
  })

  it.each([
    null,
    'text',
    7,
    [],
    {},
    { task: '' },
    { task: 7 },
    { task: 'celery.chain', subtask_type: 'chain', kwargs: {} },
    { task: 'celery.group', subtask_type: 'group', kwargs: { tasks: [null] } },
    { task: 'celery.chord', subtask_type: 'chord', kwargs: { header: [] } },
    {
      task: 'celery.chord',
      subtask_type: 'chord',
      kwargs: { header: { task: 't' }, body: { task: 'b' } },
    },
    { task: 't', options: { link: [1] } },
  ])('%j is no signature', (wire) => {
    expect(() => fromWire(wire)).toThrow(
      expect.objectContaining({ code: 'TASKS_SIGNATURE_INVALID' }),
    )
  })
})

describe('freezing', () => {
  it.each<[string, Signature]>([
    ['a chain in a group', group([chain(call('a'), call('b')), call('c')])],
    ['a chord in a chain', chain(call('a'), group([call('b'), call('c')]), call('d'), call('e'))],
    ['a chord of chords', chain(call('a'), chord([chord([call('b')], call('c'))], call('d')))],
    [
      'a group after a chord',
      chain(call('a'), chord([call('b')], call('c')), group([call('d'), call('e')])),
    ],
  ])('%s twice changes nothing', (_name, signature) => {
    const step = call('first')
    const [once] = plan(chain(step, signature), context()).send
    const rest = once!.embed.chain!

    const [twice] = plan(chain(step, ...rest.map(fromWire).reverse()), context('other')).send

    expect(JSON.stringify(twice!.embed.chain)).not.toContain('other')
    expect(twice!.embed.chain).toEqual(rest)
  })
})

function context(prefix = 'id') {
  return { nextId: counter(prefix), replyTo: 'r' }
}
