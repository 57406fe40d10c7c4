/** Workflows from parts, as data. How parts join (`pipe`) follows Celery's `|`, rule by rule. */
import { TasksError } from '../kernel/errors.ts'
import {
  call,
  noOptions,
  type Call,
  type Chain,
  type Chord,
  type Group,
  type Signature,
} from './signature.ts'
import { chordOf, membersOf, spliced, unrollChunks } from './upgrade.ts'
import { toWire } from './wire.ts'

/**
 * The parts one after the other, each with the result of the one before it as its first argument. A group
 * before another part makes a chord, so the answer is not always a chain.
 */
export function chain(...parts: readonly Signature[]): Signature {
  const [first, ...rest] = parts
  if (first === undefined) return chainOf([])
  if (rest.length === 0) return first.kind === 'chain' ? first : chainOf([first])
  return rest.reduce(pipe, first)
}

/** The parts side by side; each gets what is prepended to the group. */
export function group(members: Iterable<Signature>): Group {
  return { kind: 'group', members: [...members], args: [], options: noOptions, immutable: false }
}

/**
 * `body` once all of the header are done, with the list of their results, in order. The header is a group,
 * chunks, or the members themselves; a signature that is none of these is a header of one.
 */
export function chord(header: Signature | Iterable<Signature>, body: Signature): Chord {
  if (!('kind' in header)) return chordOf(group(header), body)
  const one = header.kind === 'call' ? unrollChunks(header) : header
  return chordOf(one.kind === 'group' ? one : group([one]), body)
}

/** One message that calls the task once for each item, one after the other; the results as a list. */
export function xmap(task: Signature, items: Iterable<unknown>): Call {
  return call('celery.map', { kwargs: { task: toWire(task), it: listOf(items) } }, true)
}

/** Like `xmap`, each item being the list of arguments of a call. */
export function xstarmap(task: Signature, items: Iterable<readonly unknown[]>): Call {
  return call('celery.starmap', { kwargs: { task: toWire(task), it: listOf(items) } }, true)
}

/** `xstarmap` in messages of `size` items each; sent as a group. */
export function chunks(task: Signature, items: Iterable<readonly unknown[]>, size: number): Call {
  if (!Number.isInteger(size) || size < 1) {
    throw new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      `chunks must have a whole number of items of at least 1, not ${size}`,
    )
  }
  return call('celery.chunks', { kwargs: { task: toWire(task), it: listOf(items), n: size } }, true)
}

function listOf<T>(items: Iterable<T>): T[] {
  if (typeof (items as Partial<Iterable<T>> | null | undefined)?.[Symbol.iterator] === 'function')
    return [...items]
  throw new TasksError('TASKS_ARGUMENTS_INVALID', `expected a list of items, found ${typeof items}`)
}

/** A copy with countdowns rising up to `stop`, in seconds, so that the members do not start all at once. */
export function skew(members: Group, start = 1, stop?: number, step = 1): Group {
  let countdown = start
  const skewed = members.members.map((member) => {
    const options = { ...member.options, countdown }
    if (stop === undefined || countdown + step <= stop) countdown += step
    return { ...member, options }
  })
  return { ...members, members: skewed }
}

/**
 * `left | right`. Where two workflows meet:
 * - chains are joined end to end, also where they begin or end in groups;
 * - a group of one on the right is that one; on the left it stays a group;
 * - group before anything, and anything after a group that ends a chain: a chord;
 * - after a chord its body goes on, except with a group or a chain, which follow as steps.
 */
export function pipe(left: Signature, right: Signature): Signature {
  if (left.kind === 'call') {
    const one = unrollChunks(left)
    if (one.kind === 'group') return pipe(one, right)
  }
  if (right.kind === 'call') {
    const one = unrollChunks(right)
    if (one.kind === 'group') return pipe(left, one)
  }
  switch (left.kind) {
    case 'call':
      return chainOf([left, ...stepsIn(right)])
    case 'chain':
      return chainPipe(spliced(left), unrolled(right))
    case 'group':
      return right.kind === 'group' && right.members.length === 0 ? left : chordOf(left, right)
    case 'chord':
      return chordPipe(left, unrolled(right))
  }
}

function chainPipe(steps: readonly Signature[], right: Signature): Signature {
  const last = steps.at(-1)
  const before = steps.slice(0, -1)
  if (last?.kind === 'group' && (right.kind === 'call' || right.kind === 'chord')) {
    return chainOf([...before, chordOf(last, right)])
  }
  if (last?.kind === 'chord' && (right.kind === 'call' || right.kind === 'group')) {
    return chainOf([...before, { ...last, body: pipe(last.body, right) }])
  }
  return chainOf([...steps, ...stepsIn(right)])
}

function chordPipe(left: Chord, right: Signature): Signature {
  if (right.kind === 'group' || right.kind === 'chain') return chainOf([left, ...stepsIn(right)])
  return { ...left, body: pipe(left.body, right) }
}

/** What a signature adds to a chain: a chain its steps, a group of one its member. */
function stepsIn(signature: Signature): readonly Signature[] {
  return signature.kind === 'chain' ? spliced(signature) : [unrolled(signature)]
}

/** A group of one on the right of something is that one. */
function unrolled(right: Signature): Signature {
  if (right.kind !== 'group') return right
  const members = membersOf(right)
  return members.length === 1 ? members[0]! : right
}

function chainOf(steps: readonly Signature[]): Chain {
  return { kind: 'chain', steps, args: [], options: noOptions, immutable: false }
}
