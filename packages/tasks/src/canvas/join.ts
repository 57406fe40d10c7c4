/** The end of a chord's header: its body with the results, or the failure of the body. Decides only. */
import { exceptionRepr, type WireException } from '../protocol/failures.ts'
import { emptyEmbed, type WireSignature } from '../protocol/task-message.ts'
import {
  callErrbacks,
  collectUnrun,
  type ChordPart,
  type FailedStep,
  type Next,
  type NextContext,
} from './next.ts'
import { plan, type Countdown, type Plan, type PlannedCall } from './plan.ts'
import type { Call, Signature } from './signature.ts'
import { isGathering } from './upgrade.ts'
import { fromWire } from './wire.ts'

export interface JoinContext extends NextContext {
  /** The part that completed the chord. */
  readonly parentId: string
  /** The workflow of that part. */
  readonly rootId: string
}

/**
 * All parts succeeded: the body, with their results as its first argument. Throws
 * `TASKS_SIGNATURE_INVALID` when the body is no signature.
 */
export function chordBody(
  body: WireSignature,
  results: readonly unknown[],
  context: JoinContext,
): Plan {
  const { replyTo, options, parentId, rootId } = context
  const nextId = (): string => context.nextId()
  return plan(fromWire(body), { nextId, replyTo, options, parentId, rootId, args: [results] })
}

/** Celery's task that looks for the end of a chord where the store of results cannot count. */
export const chordUnlock = 'celery.chord_unlock'

/**
 * The message of that task, as Celery sends it: first after an interval, in the queue of the body. It goes
 * with the header; whoever receives it, here or in Python, looks at the members' records again and again.
 */
export function unlockCall(
  { groupId, body, members, rootId, parentId }: Countdown,
  { id, replyTo, intervalSeconds }: { id: string; replyTo: string; intervalSeconds: number },
): PlannedCall {
  const { queue, priority } = body.options
  return {
    id,
    task: chordUnlock,
    args: [groupId, body],
    kwargs: { result: members, interval: intervalSeconds },
    embed: emptyEmbed,
    groupId: undefined,
    groupIndex: undefined,
    rootId: rootId ?? id,
    parentId,
    replyTo,
    retries: 0,
    replacedTaskNesting: 0,
    stampedHeaders: undefined,
    stamps: undefined,
    origin: undefined,
    options: {
      countdown: intervalSeconds,
      ignoreResult: true,
      ...(typeof queue === 'string' && { queue }),
      ...(typeof priority === 'number' && { priority }),
    },
  }
}

/**
 * True when a message of the plan carries a chord that is to be sent later: a step of a chain, a callback, or part of
 * one. Joins that begin with the plan itself are its countdowns.
 */
export function joinsLater({ send }: Plan): boolean {
  return send.some(({ embed }) => {
    return [...(embed.chain ?? []), ...(embed.callbacks ?? [])].some(hasChord)
  })
}

function hasChord({ subtask_type: type, kwargs, options }: WireSignature): boolean {
  if (type === 'chord') return true
  const parts = [kwargs['tasks'], options['link'], options['chain']]
  return parts.some((list) => Array.isArray(list) && (list as WireSignature[]).some(hasChord))
}

/** Text of the `ChordError` a body fails with when one of the header's tasks did. */
export function dependencyText(partId: string, exception: WireException): string {
  return `Dependency ${partId} raised ${exceptionRepr(exception)}`
}

/**
 * A part failed: the body and what hangs on it will never run. Like `next` after a failure of the body;
 * `failed` begins with the body itself, `parts` are those of a chord around this one.
 */
export function chordFailure(body: WireSignature, context: JoinContext): Next {
  const signature = fromWire(body)
  const failed: FailedStep[] = []
  const parts: ChordPart[] = []
  collectUnrun(signature, context.rootId, failed, parts)
  const called = beginnings(signature).map(({ task, options }) => {
    const unrun = { id: options.taskId ?? context.parentId, task, rootId: context.rootId }
    return callErrbacks(options.linkError ?? [], unrun, context)
  })
  return {
    plans: called.flatMap((one) => one.plans),
    inline: called.flatMap((one) => one.inline),
    children: [],
    parts,
    failed,
  }
}

/** The calls that would have run first; theirs are the error callbacks of the whole. */
function beginnings(signature: Signature): readonly Call[] {
  switch (signature.kind) {
    case 'call':
      return [signature]
    case 'chain':
      return signature.steps[0] === undefined ? [] : beginnings(signature.steps[0])
    case 'group':
      return signature.members.flatMap(beginnings)
    case 'chord':
      // One that only gathers the results of a group stands for the group.
      return isGathering(signature.body)
        ? signature.header.flatMap(beginnings)
        : beginnings(signature.body)
  }
}
