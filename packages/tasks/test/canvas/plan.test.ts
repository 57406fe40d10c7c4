import { describe, expect, it } from '@jest/globals'
import { chain, chord, chunks, group, pipe, xmap } from '../../src/canvas/combinators.ts'
import { link, linkAll, linkError } from '../../src/canvas/links.ts'
import { plan, type Plan, type PlanContext } from '../../src/canvas/plan.ts'
import {
  call,
  withImmutable,
  withOptions,
  type Signature,
  type SignatureOptions,
} from '../../src/canvas/signature.ts'
import { toWire } from '../../src/canvas/wire.ts'
import { capturedMessages, loadVector } from '../vectors.ts'
import { comparable, counter, published } from './published.ts'

function context(over: Partial<PlanContext> = {}): PlanContext {
  const ids = counter()
  return { nextId: ids, replyTo: 'id-0', ...over }
}

const task =
  (name: string) =>
  (...args: unknown[]): Signature =>
    call(`proj.tasks.${name}`, { args })

const add = task('add')
const mul = task('mul')
const xsum = task('xsum')
const ident = task('ident')
const errback = task('errback')
const fail = task('fail')
const set = (signature: Signature, options: SignatureOptions): Signature =>
  withOptions(signature, options)

const pairs = [
  [0, 0],
  [1, 1],
  [2, 2],
  [3, 3],
  [4, 4],
]

/** Vector, the signature as its `how` has it, what is handed to `apply_async`. */
const sameAsCelery: [string, () => Signature, Partial<PlanContext>?][] = [
  ['canvas-chain-1', () => chain(add(1, 2))],
  ['canvas-chain-2', () => pipe(add(1, 2), mul(3))],
  ['canvas-chain-3', () => chain(add(1, 2), mul(3), ident())],
  ['canvas-chain-partial', () => chain(add(1), mul(3)), { args: [5] }],
  [
    'canvas-chain-options',
    () =>
      linkError(
        chain(
          add(1, 2),
          set(withImmutable(mul(3, 3)), { queue: 'q2', priority: 6 }),
          set(ident(), { countdown: 3 }),
        ),
        errback(),
      ),
  ],
  ['canvas-chain-in-group', () => group([chain(add(1, 1), mul(2)), add(5, 5)])],
  ['canvas-chain-in-chord', () => chord([chain(add(1, 1), mul(2)), add(5, 5)], xsum())],
  ['canvas-chain-starting-group', () => chain(group([add(1, 1), add(2, 2)]), xsum(), mul(3))],
  ['canvas-chord', () => chord([add(1, 1), add(2, 2), add(3, 3)], xsum())],
  ['canvas-chord-body-chain', () => chord([add(1, 1), add(2, 2)], chain(xsum(), mul(2)))],
  ['canvas-chord-empty', () => chord([], xsum())],
  ['canvas-chord-generator', () => chord([add(0, 0), add(1, 1), add(2, 2)], xsum())],
  ['canvas-chord-group-or', () => pipe(group([add(1, 1), add(2, 2)]), xsum())],
  ['canvas-chord-in-chain', () => chain(add(1, 1), group([add(2), mul(3)]), xsum(), ident())],
  ['canvas-chord-link-error', () => chord([add(1, 1), fail()], linkError(xsum(), errback()))],
  [
    'canvas-chord-of-chords',
    () => chord([chord([add(1, 1), add(2, 2)], xsum()), add(5, 5)], xsum()),
  ],
  [
    'canvas-chord-pipe-group',
    () => pipe(chord([add(1, 1), add(2, 2)], xsum()), group([add(1), mul(2)])),
  ],
  ['canvas-chord-unlock-mapping', () => pipe(chunks(add(), pairs.slice(0, 4), 2), ident())],
  ['canvas-chunks', () => chunks(add(), pairs, 2)],
  ['canvas-group-3', () => group([add(1, 1), add(2, 2), add(3, 3)])],
  ['canvas-group-link', () => link(group([add(1, 1), add(2, 2)]), ident(5))],
  ['canvas-group-link-error', () => linkError(group([add(1, 1), fail()]), errback())],
  [
    'canvas-group-options',
    () => group([add(1, 1), add(2, 2)]),
    { options: { countdown: 20, priority: 9 } },
  ],
  ['canvas-group-pipe-group', () => pipe(group([add(1, 1), add(2, 2)]), group([xsum(), ident()]))],
  ['canvas-link', () => link(add(2, 2), mul(10))],
  [
    'canvas-link-many',
    () => linkAll(add(2, 2), [mul(10), set(ident(), { queue: 'q2', countdown: 5 })], [errback()]),
  ],
  [
    'canvas-link-error',
    () => linkAll(fail('x'), [], [errback(), withImmutable(task('errback_id')('fixed'))]),
  ],
  ['canvas-task-pipe-group', () => pipe(add(1, 1), group([add(1), add(2)]))],
  ['canvas-xmap', () => xmap(ident(), [1, 2, 3])],
]

describe('what a workflow is published as', () => {
  const rows = sameAsCelery.map(([name, build, over = {}]) => ({ name, build, over }))
  it.each(rows)('$name: the same as Celery', ({ name, build, over }) => {
    const vector = loadVector(name)

    const planned = plan(build(), context(over))

    const ours: unknown[] = [published(planned)]
    const theirs: unknown[] = [capturedMessages(name)]
    // Theirs forgets the step between the group and the end of the chain.
    if ('result_tuple' in vector && name !== 'canvas-chain-starting-group') {
      ours.push(planned.result)
      theirs.push(vector['result_tuple'])
    }
    expect(comparable(ours)).toEqual(comparable(theirs))
  })

  it.each(rows.filter(({ name }) => 'redis_results' in loadVector(name)))(
    '$name: as many parts are counted as by Celery',
    ({ name, build, over }) => {
      const planned = plan(build(), context(over))

      expect(sizes(planned)).toEqual(storedSizes(loadVector(name)))
    },
  )

  it('canvas-group-1: a group of one stays a group, also before another step', () => {
    const nextId = counter()
    const alone = plan(group([add(1, 1)]), context({ nextId }))
    const joined = plan(pipe(group([add(1, 1)]), ident()), context({ nextId }))

    const ours = [...published(alone), ...published(joined)]

    expect(comparable(ours)).toEqual(comparable(capturedMessages('canvas-group-1')))
  })

  it.each([
    ['amqp-chain', () => chain(add(1, 2), mul(3), ident())],
    [
      'stamp-visitor-chain',
      () =>
        chain(
          set(add(1, 2), { stampedHeaders: ['monitor'], extra: { monitor: 'm-add' } }),
          set(mul(3), { stampedHeaders: ['monitor'], extra: { monitor: 'm-mul' } }),
        ),
    ],
    [
      'amqp-stamped',
      () => set(add(1, 2), { stampedHeaders: ['tenant', 'n'], extra: { tenant: 'acme', n: 3 } }),
    ],
  ])('%s: the same as Celery', (name, build) => {
    const ours = published(plan(build(), context()))

    expect(comparable(ours)).toEqual(comparable(capturedMessages(name)))
  })
})

function sizes(planned: Plan): number[] {
  return planned.countdowns.map((countdown) => countdown.size).sort((a, b) => a - b)
}

function storedSizes(vector: Record<string, unknown>): number[] {
  const stored = vector['redis_results'] as { key: string; value: string }[]
  return stored
    .filter(({ key }) => key.endsWith('.s'))
    .map(({ value }) => Number(value))
    .sort((a, b) => a - b)
}

/** The tasks of a plan as `name(args)[group index]`. */
function shown(planned: Plan): string[] {
  return planned.send.map((one) => {
    const index = one.groupIndex === undefined ? '' : `[${one.groupIndex}]`
    return `${one.task.replace('proj.tasks.', '')}(${one.args.join()})${index}`
  })
}

describe('where we differ from Celery', () => {
  it('groups in groups count on, where theirs begin again at 0', () => {
    const nested = group([add(1, 1), group([add(2, 2), add(3, 3)]), add(4, 4)])

    const planned = plan(nested, context())

    expect(shown(planned)).toEqual(['add(1,1)[0]', 'add(2,2)[1]', 'add(3,3)[2]', 'add(4,4)[3]'])
    expect(comparable(planned.result)).toEqual(
      comparable(loadVector('canvas-group-nested')['result_tuple']),
    )
  })

  it('groups in the header of a chord keep their order, where theirs come out reversed', () => {
    const nested = chord([add(1, 1), group([add(2, 2), add(3, 3)]), add(4, 4)], xsum())

    const planned = plan(nested, context())

    expect(shown(planned)).toEqual(['add(1,1)[0]', 'add(2,2)[1]', 'add(3,3)[2]', 'add(4,4)[3]'])
    expect(sizes(planned)).toEqual(storedSizes(loadVector('canvas-chord-nested-group')))
  })

  it('a header member that ends in a group counts once, by a join of its own', () => {
    const nested = chord([chain(add(1, 1), group([add(1), add(2)])), add(5, 5)], xsum())

    const planned = plan(nested, context())

    expect(sizes(planned)).toEqual([2])
    const inner = planned.send[0]!.embed.chain![0]!
    expect(inner).toMatchObject({ subtask_type: 'chord' })
    expect(inner.kwargs['body']).toMatchObject({
      task: 'celery.accumulate',
      kwargs: { index: 0 },
      options: {
        group_id: planned.countdowns[0]!.groupId,
        group_index: 0,
        chord: { task: 'proj.tasks.xsum' },
      },
    })
    expect(inner.options['task_id']).not.toBe(planned.countdowns[0]!.groupId)
  })

  it('so does a chord whose body is a group', () => {
    const nested = chord(
      [chord([add(1, 1), add(2, 2)], group([xsum(), ident()])), add(5, 5)],
      xsum(),
    )

    const planned = plan(nested, context())

    expect(sizes(planned)).toEqual([2, 2])
    expect(planned.send[0]!.embed.chord).toMatchObject({
      subtask_type: 'chord',
      kwargs: { body: { task: 'celery.accumulate' } },
    })
  })

  it('header members of a chord that is sent later do not repeat its body', () => {
    const [first] = plan(chain(add(1, 1), group([add(2), mul(3)]), xsum()), context()).send

    const later = first!.embed.chain![0]!
    expect(JSON.stringify(later).split('proj.tasks.xsum')).toHaveLength(2)
  })

  it('the countdown of a chord holds back its header', () => {
    const planned = plan(set(chord([add(1, 1)], xsum()), { countdown: 5, queue: 'q' }), context())

    expect(planned.send[0]!.options).toEqual({ countdown: 5, queue: 'q' })
    expect(planned.send[0]!.embed.chord!.options).toMatchObject({ queue: 'q' })
    expect(planned.send[0]!.embed.chord!.options).not.toHaveProperty('countdown')
  })
})

describe('ids', () => {
  it('that are fixed stay', () => {
    const planned = plan(set(add(1, 2), { taskId: 'mine', rootId: 'root' }), context())

    expect(planned.send[0]).toMatchObject({ id: 'mine', rootId: 'root' })
    expect(planned.result).toEqual([['mine', null], null])
  })

  it.each<[string, () => Signature]>([
    ['a chain', () => chain(add(1, 2), mul(3))],
    ['a chord', () => chord([add(1, 2)], xsum())],
    ['a chain that ends in a chord', () => chain(ident(1), group([add(1, 2), add(3, 4)]), xsum())],
    ['a group', () => group([add(1, 2), add(3, 4)])],
  ])('given to %s is that of its result', (_name, build) => {
    const planned = plan(set(build(), { taskId: 'mine' }), context())

    expect(planned.result![0][0]).toBe('mine')
  })

  it('of the sender are on every message', () => {
    const planned = plan(chain(group([add(1, 1), chain(add(2, 2), mul(3))]), xsum()), {
      ...context(),
      parentId: 'parent',
      rootId: 'root',
    })

    for (const one of planned.send)
      expect(one).toMatchObject({ parentId: 'parent', rootId: 'root' })
    expect(planned.send[1]!.embed.chain![0]!.options).toMatchObject({ root_id: 'root' })
    expect(planned.send[0]!.embed.chord!.options).toMatchObject({ root_id: 'root' })
  })
})

describe('what is handed down', () => {
  const given = { args: [9], kwargs: { k: 1 }, options: { priority: 3 } }

  it('goes to a call', () => {
    expect(plan(add(1), context(given)).send[0]).toMatchObject({
      args: [9, 1],
      kwargs: { k: 1 },
      options: { priority: 3 },
    })
  })

  it('goes as options only to what is immutable', () => {
    expect(plan(withImmutable(add(1)), context(given)).send[0]).toMatchObject({
      args: [1],
      kwargs: {},
      options: { priority: 3 },
    })
  })

  it('goes to the first step of a chain', () => {
    const [first] = plan(chain(add(1), mul(2)), context(given)).send

    expect(first).toMatchObject({ args: [9, 1], options: { priority: 3 } })
    expect(first!.embed.chain![0]).toMatchObject({ args: [2], kwargs: {} })
    expect(first!.embed.chain![0]!.options).not.toHaveProperty('priority')
  })

  it('goes to every member of a group', () => {
    const planned = plan(group([add(1), withImmutable(add(2))]), context(given))

    expect(planned.send.map(({ args, options }) => [args, options])).toEqual([
      [[9, 1], { priority: 3 }],
      [[2], { priority: 3 }],
    ])
  })

  it('goes to the header of a chord, its options also to the body', () => {
    const planned = plan(chord([add(1), add(2)], xsum()), context(given))

    expect(planned.send.map((one) => one.args)).toEqual([
      [9, 1],
      [9, 2],
    ])
    expect(planned.countdowns[0]!.body).toMatchObject({ args: [], options: { priority: 3 } })
  })

  it('never asks a header not to keep its results', () => {
    const planned = plan(set(chord([add(1, 1)], xsum()), { ignoreResult: true }), context())

    expect(planned.send[0]!.options).toEqual({})
    expect(planned.countdowns[0]!.body.options).toMatchObject({ ignore_result: true })
  })
})

describe('what comes after', () => {
  const rest = [toWire(ident()), toWire(mul(7))]

  it('a call is carried along', () => {
    expect(plan(add(1, 2), context({ chain: rest })).send[0]!.embed.chain).toEqual(rest)
  })

  it('a chain comes after its own steps', () => {
    const [first] = plan(chain(add(1, 2), mul(3)), context({ chain: rest })).send

    expect(first!.embed.chain!.map((step) => step.task + String(step.args))).toEqual([
      'proj.tasks.ident',
      'proj.tasks.mul7',
      'proj.tasks.mul3',
    ])
  })

  it('a group makes it a chord', () => {
    const planned = plan(group([add(1, 1), add(2, 2)]), context({ chain: rest }))

    expect(sizes(planned)).toEqual([2])
    expect(planned.countdowns[0]!.body).toMatchObject({ task: 'proj.tasks.mul', args: [7] })
  })

  it('a chord goes on after its body', () => {
    const planned = plan(chord([add(1, 1)], xsum()), context({ chain: rest }))

    const { body } = planned.countdowns[0]!
    expect(body).toMatchObject({ task: 'proj.tasks.xsum' })
    expect(body.options['chain']).toEqual(rest)
  })

  it('a chain that ends in a group makes that a chord', () => {
    const [first] = plan(chain(add(1, 1), group([add(2), add(3)])), context({ chain: rest })).send

    expect(first!.embed.chain!.map((step) => step.subtask_type ?? step.task)).toEqual([
      'proj.tasks.ident',
      'chord',
    ])
  })
})

describe('nothing', () => {
  it('is what an empty chain runs', () => {
    expect(plan(chain(), context())).toEqual({ send: [], countdowns: [], result: undefined })
  })

  it('is what an empty group runs, but it has a result', () => {
    const planned = plan(group([]), context())

    expect(planned.send).toEqual([])
    expect(planned.result).toEqual([['id-1', null], []])
  })

  it('between a step and a group is left out', () => {
    const [first] = plan(chain(add(1, 1), group([]), group([mul(2), mul(3)])), context()).send

    expect(first!.embed.chain!.map((step) => step.subtask_type)).toEqual(['group'])
  })

  it('at the end of a chain is left out', () => {
    const planned = plan(chain(add(1, 1), group([])), context())

    expect(planned.send[0]!.embed.chain).toEqual([])
    expect(planned.result).toEqual([['id-1', null], null])
  })

  it('at the beginning of a chain gives the next step an empty list', () => {
    expect(shown(plan(chain(group([]), ident()), context()))).toEqual(['ident()'])
    expect(plan(chain(group([]), ident()), context()).send[0]!.args).toEqual([[]])
  })

  it('cannot be the body of a chord', () => {
    expect(() => plan(chord([add(1, 1)], chain()), context())).toThrow(
      expect.objectContaining({ code: 'TASKS_SIGNATURE_INVALID' }),
    )
  })
})
