/**
 * One finished execution → what its message says must follow: callbacks, the next step of the chain, the
 * part of a chord to count, or the failure of everything that now will never run. Decides only.
 */
import type { WireException } from '../protocol/failures.ts'
import type { TaskMeta, TaskPayload, WireSignature } from '../protocol/task-message.ts'
import { plan, type Plan, type PlanContext } from './plan.ts'
import type { ResultTree } from './result-tree.ts'
import { noOptions, type Call, type DeliveryOptions, type Signature } from './signature.ts'
import { fromWire, toWire } from './wire.ts'

export type FinishedOutcome =
  | { readonly kind: 'success'; readonly value: unknown }
  | { readonly kind: 'failure'; readonly exception: WireException }

export interface Finished {
  readonly meta: TaskMeta
  readonly payload: TaskPayload
  readonly outcome: FinishedOutcome
}

export interface NextContext {
  nextId(): string
  readonly replyTo: string
  /** Laid over what follows, for example an inherited priority. */
  readonly options?: DeliveryOptions | undefined
  /**
   * True for error callbacks that are registered here and take (request, error, traceback): those are
   * called in this process, without a message.
   */
  isInline?(errback: Call): boolean
}

/** A part of a chord that is done, to be counted under its group with the state and value of the outcome. */
export interface ChordPart {
  readonly taskId: string
  readonly groupId: string
  readonly groupIndex: number | undefined
  readonly body: WireSignature
  /** Workflow of the part; the body joins it. */
  readonly rootId: string
  /** Of the part's message; a body may inherit it. */
  readonly priority?: number | undefined
}

/** A task that will never run because one before it failed; its record gets the same failure. */
export interface FailedStep {
  readonly id: string
  readonly groupId: string | undefined
  readonly parentId: string | undefined
  /** Where whoever waits for it gets its record, where results are messages. */
  readonly replyTo: string | undefined
}

/** An error callback to be called in this process, and what it is told of. */
export interface InlineErrback {
  readonly errback: Call
  readonly failed: { readonly id: string; readonly task: string; readonly rootId: string }
}

export interface Next {
  /** To be carried out in this order, before the outcome is stored. */
  readonly plans: readonly Plan[]
  /** What the record of the finished task lists as its children. */
  readonly children: readonly ResultTree[]
  /** Error callbacks to be called in this process. */
  readonly inline: readonly InlineErrback[]
  /** To be counted after the outcome is stored; more than one only after a failure. */
  readonly parts: readonly ChordPart[]
  readonly failed: readonly FailedStep[]
}

const nothing: Next = Object.freeze({ plans: [], children: [], inline: [], parts: [], failed: [] })

/** Throws `TASKS_SIGNATURE_INVALID` when the message carries something that is no signature. */
export function next(finished: Finished, context: NextContext): Next {
  const { meta, payload, outcome } = finished
  const { callbacks, errbacks, chain, chord } = payload.embed
  // Most tasks are alone.
  if (!callbacks && !errbacks && !chain && !chord) return nothing
  return outcome.kind === 'success'
    ? afterSuccess(meta, payload, outcome.value, context)
    : afterFailure(meta, payload, context)
}

function afterSuccess(
  meta: TaskMeta,
  { embed }: TaskPayload,
  value: unknown,
  context: NextContext,
): Next {
  // A task that gives nothing gives null, as one of Python gives None; undefined cannot be sent.
  const within: PlanContext = { ...childOf(meta, context), args: [value ?? null] }
  const plans = bundled((embed.callbacks ?? []).map(fromWire)).map((one) => plan(one, within))
  const step = embed.chain?.at(-1)
  if (step !== undefined) {
    plans.push(plan(fromWire(step), { ...within, chain: embed.chain!.slice(0, -1) }))
  }
  const children = plans.map((one) => one.result).filter((tree) => tree !== undefined)
  return { plans, children, inline: [], parts: partsOf(meta, embed.chord), failed: [] }
}

/** One callback is applied as it is; of several, groups by themselves and the others as one group. */
function bundled(callbacks: readonly Signature[]): Signature[] {
  if (callbacks.length < 2) return [...callbacks]
  const groups = callbacks.filter((callback) => callback.kind === 'group')
  const others = callbacks.filter((callback) => callback.kind !== 'group')
  return others.length === 0 ? groups : [...groups, groupOf(others)]
}

function groupOf(members: readonly Signature[]): Signature {
  return { kind: 'group', members, args: [], options: noOptions, immutable: false }
}

function afterFailure(meta: TaskMeta, { embed }: TaskPayload, context: NextContext): Next {
  const errbacks = callErrbacks((embed.errbacks ?? []).map(fromWire), meta, context)
  const failed: FailedStep[] = []
  const parts = partsOf(meta, embed.chord)
  for (const step of embed.chain?.toReversed() ?? []) {
    collectUnrun(fromWire(step), meta.rootId, failed, parts)
  }
  return { ...errbacks, children: [], parts, failed }
}

function partsOf(meta: TaskMeta, body: WireSignature | null): ChordPart[] {
  const { id: taskId, groupId, groupIndex, rootId, priority } = meta
  // A body without a group has nothing to be counted under.
  if (body === null || groupId === undefined) return []
  return [
    { taskId, groupId, groupIndex, body, rootId, ...(priority !== undefined && { priority }) },
  ]
}

function childOf(meta: TaskMeta, context: NextContext): PlanContext {
  const { replyTo, options } = context
  return {
    nextId: () => context.nextId(),
    replyTo,
    options,
    parentId: meta.id,
    rootId: meta.rootId,
  }
}

/** Error callbacks of a task that failed: called here, or sent as one group with the id in front. */
export function callErrbacks(
  errbacks: readonly Signature[],
  failed: InlineErrback['failed'],
  context: NextContext,
): Pick<Next, 'inline' | 'plans'> {
  const { id, rootId } = failed
  const inline: InlineErrback[] = []
  const sent: Signature[] = []
  for (const errback of errbacks) {
    if (errback.kind === 'call' && context.isInline?.(errback)) inline.push({ errback, failed })
    else sent.push(errback)
  }
  if (sent.length === 0) return { inline, plans: [] }
  const within: PlanContext = {
    nextId: () => context.nextId(),
    replyTo: context.replyTo,
    parentId: id,
    rootId,
    args: [id],
  }
  return { inline, plans: [plan(groupOf(sent), within)] }
}

/** What follows when these steps of a chain will never run. */
export function unrun(steps: readonly WireSignature[], rootId: string): Next {
  const failed: FailedStep[] = []
  const parts: ChordPart[] = []
  for (const step of steps) collectUnrun(fromWire(step), rootId, failed, parts)
  return { plans: [], children: [], inline: [], parts, failed }
}

/**
 * Everything in a frozen signature that somebody may be waiting for, and the chord parts it would have
 * been. Without `parts` only the former: members of a header whose chord was never sent are no parts yet.
 */
export function collectUnrun(
  signature: Signature,
  rootId: string,
  failed: FailedStep[],
  parts?: ChordPart[],
): void {
  const each = (list: readonly Signature[], mine = parts): void => {
    for (const one of list) collectUnrun(one, rootId, failed, mine)
  }
  switch (signature.kind) {
    case 'call': {
      const { taskId, groupId, groupIndex, parentId, replyTo, chord, chain } = signature.options
      if (taskId !== undefined) {
        failed.push({ id: taskId, groupId, parentId, replyTo })
        if (parts !== undefined && chord !== undefined && groupId !== undefined) {
          parts.push({ taskId, groupId, groupIndex, body: toWire(chord), rootId })
        }
      }
      return each(chain?.toReversed() ?? [])
    }
    case 'chain':
      return each(signature.steps)
    case 'group':
      return each(signature.members)
    case 'chord':
      each(signature.header, undefined)
      return each([signature.body])
  }
}
