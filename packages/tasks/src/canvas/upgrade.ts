/**
 * Workflows into the shape in which they are sent: no chain in a chain, no group in a group, no group
 * before another step (that is a chord), and header members of chords that end in one result each.
 */
import { linkAll } from './links.ts'
import {
  call,
  clone,
  deliveryOf,
  noOptions,
  withImmutable,
  withOptions,
  type Call,
  type Chain,
  type Chord,
  type Group,
  type Signature,
} from './signature.ts'

/** Runs of Celery and ours have this task: it gives back what it is called with, or one item of it. */
const accumulate = 'celery.accumulate'

/**
 * The steps of a chain, ready to be sent: none of them a chain, none but the last a group. What the chain
 * says of itself is handed to them: its arguments to the first, links to the last, error links to all.
 */
export function stepsOf(chain: Chain): readonly (Call | Group | Chord)[] {
  const waiting = [...spliced(chain)]
  // Built from the end, so last step first.
  const done: (Call | Group | Chord)[] = []
  for (let step = waiting.pop(); step !== undefined; step = waiting.pop()) {
    if (step.kind === 'chain') {
      waiting.push(...spliced(step))
      continue
    }
    const one = step.kind === 'call' ? unrollChunks(step) : step
    if (one.kind !== 'group') {
      done.push(one)
      continue
    }
    const members = membersOf(one)
    const following = done.at(-1)
    const isFirst = waiting.length === 0
    if (members.length === 1) waiting.push(members[0]!)
    else if (members.length === 0 && !isFirst) continue
    else if (following === undefined) done.push(one)
    else done[done.length - 1] = chordOf(one, following)
  }
  return done.reverse()
}

/** The steps of one chain as they stand, with what the chain says of itself handed to them. */
export function spliced(chain: Chain): readonly Signature[] {
  const steps = [...chain.steps]
  const last = steps.length - 1
  if (last < 0) return steps
  const { options } = chain
  const first = clone(steps[0]!, { args: chain.args, options: deliveryOf(options) })
  steps[0] = chain.immutable ? withImmutable(first) : first
  if (options === noOptions) return steps
  steps[last] = linkAll(steps[last]!, options.link)
  if (options.linkError !== undefined) {
    // Every task of a chain is one of its tasks, in the header of a chord or not.
    const everywhere = { onChordHeader: true }
    for (const [at, step] of steps.entries())
      steps[at] = linkAll(step, [], options.linkError, everywhere)
  }
  const { taskId } = options
  if (taskId !== undefined && steps[last]!.options.taskId === undefined) {
    steps[last] = withOptions(steps[last]!, { taskId })
  }
  return steps
}

/** Members of a group as they are sent: flat and in order, with the group's arguments and options. */
export function membersOf(group: Group): readonly Signature[] {
  const { options } = group
  const shared = { args: group.args, options: deliveryOf(options) }
  let members = flatten(group.members).map((member) => clone(member, shared))
  if (options.linkError !== undefined) {
    members = members.map((member) => linkAll(member, [], options.linkError))
  }
  const [first, ...others] = members
  if (first === undefined || options.link === undefined) return members
  const callbacks = options.link.map((callback) => withImmutable(callback))
  return [linkAll(first, callbacks), ...others]
}

/** Groups are dissolved into their members; what would run nothing is left out. */
export function flatten(members: readonly Signature[]): Signature[] {
  return members.flatMap((member) => {
    const one = member.kind === 'call' ? unrollChunks(member) : member
    if (one.kind === 'group') return membersOf(one)
    if (one.kind !== 'chain') return [one]
    const steps = stepsOf(one)
    const [only] = steps
    if (steps.length === 1 && only!.kind === 'group') return membersOf(only as Group)
    return steps.length === 0 ? [] : [one]
  })
}

/** `group | body`. */
export function chordOf(group: Group, body: Signature): Chord {
  const { taskId } = group.options
  return {
    kind: 'chord',
    header: membersOf(group),
    body,
    args: [],
    options: {},
    immutable: group.immutable,
    ...(taskId !== undefined && { headerId: taskId }),
  }
}

/**
 * The same member, ending in one result: a chord counts a member when one task of it is done. In Celery
 * a member that ends in a group shares the chord's counter, so that the body runs early or never.
 */
export function endInOne(member: Signature): Signature {
  switch (member.kind) {
    case 'call':
      return member
    case 'group':
      return chordOf(member, call(accumulate, { kwargs: { index: 0 } }))
    case 'chord':
      return { ...member, body: endInOne(member.body) }
    case 'chain': {
      const steps = stepsOf(member)
      const last = steps.at(-1)
      if (last === undefined || last.kind === 'call') return member
      return {
        kind: 'chain',
        steps: [...steps.slice(0, -1), endInOne(last)],
        args: [],
        options: noOptions,
        immutable: member.immutable,
      }
    }
  }
}

/** The body of a chord that only gathers what its header gives. */
export function isGathering(body: Signature): boolean {
  return body.kind === 'call' && body.task === accumulate
}

/** `body`, and after it what else a chain has; `rest` is last step first, as messages carry it. */
export function followedBy(body: Signature, rest: readonly Signature[]): Signature {
  if (rest.length === 0) return body
  if (body.kind === 'call') {
    return withOptions(body, { chain: [...rest, ...(body.options.chain ?? [])] })
  }
  const steps = [body, ...rest.toReversed()]
  return { kind: 'chain', steps, args: [], options: {}, immutable: body.immutable }
}

/** `task.chunks(…)` is sent as a group of starmaps; any other call stays what it is. */
export function unrollChunks(signature: Call): Call | Group {
  if (signature.task !== 'celery.chunks') return signature
  const { task, it, n } = signature.kwargs
  if (!Array.isArray(it) || typeof n !== 'number' || !(n >= 1)) return signature
  const members: Call[] = []
  for (let from = 0; from < it.length; from += n) {
    const part = (it as unknown[]).slice(from, from + n)
    members.push(call('celery.starmap', { kwargs: { task, it: part } }, true))
  }
  return { kind: 'group', members, args: [], options: signature.options, immutable: true }
}
