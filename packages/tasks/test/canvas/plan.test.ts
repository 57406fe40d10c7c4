import { describe, expect, it } from '@jest/globals'
import { chain, chord, chunks, group, pipe, xmap } from '../../src/canvas/combinators.ts'
import { link, linkAll, linkError } from '../../src/canvas/links.ts'
import { plan, type PlanContext } from '../../src/canvas/plan.ts'
import {
  call,
  withImmutable,
  withOptions,
  type Signature,
  type SignatureOptions,
} from '../../src/canvas/signature.ts'
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
    if ('result_tuple' in vector) {
      ours.push(planned.result)
      theirs.push(vector['result_tuple'])
    }
    expect(comparable(ours)).toEqual(comparable(theirs))
  })
})
