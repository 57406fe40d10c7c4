/**
 * One finished execution → what its message says must follow: callbacks, the next step of the chain, the
 * part of a chord to count, or the failure of everything that now will never run. Decides only.
 */
import type { WireException } from '../protocol/failures.ts'
import type { TaskMeta, TaskPayload, WireSignature } from '../protocol/task-message.ts'
import type { Plan, PlannedCall } from './plan.ts'
import type { ResultTree } from './result-tree.ts'
import type { Call, DeliveryOptions, Signature } from './signature.ts'

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
}

/** A task that will never run because one before it failed; its record gets the same failure. */
export interface FailedStep {
  readonly id: string
  readonly groupId: string | undefined
  readonly parentId: string | undefined
}

export interface Next {
  /** To be carried out in this order, before the outcome is stored. */
  readonly plans: readonly Plan[]
  /** What the record of the finished task lists as its children. */
  readonly children: readonly ResultTree[]
  /** Error callbacks to be called in this process. */
  readonly inline: readonly Call[]
  /** To be counted after the outcome is stored; more than one only after a failure. */
  readonly parts: readonly ChordPart[]
  readonly failed: readonly FailedStep[]
}

/** Throws `TASKS_SIGNATURE_INVALID` when the message carries something that is no signature. */
export function next(finished: Finished, context: NextContext): Next {
  throw new Error('not written yet')
}

export interface RetryChange {
  /** Seconds from now. */
  readonly countdown?: number | undefined
  readonly eta?: Date | string | undefined
  readonly args?: readonly unknown[] | undefined
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined
  readonly options?: DeliveryOptions | undefined
}

/** The message of the next attempt: same id, one retry more, its own parent, everything else kept. */
export function retryCall(
  meta: TaskMeta,
  payload: TaskPayload,
  change: RetryChange,
  context: { readonly replyTo: string },
): PlannedCall {
  throw new Error('not written yet')
}

export interface JoinContext extends NextContext {
  /** The part that completed the chord. */
  readonly parentId: string
  readonly rootId: string
}

/** All parts succeeded: the body, with their results as its first argument. */
export function chordBody(
  body: WireSignature | Signature,
  results: readonly unknown[],
  context: JoinContext,
): Plan {
  throw new Error('not written yet')
}

/** Text of the error a chord's body fails with when one of its parts did. */
export function dependencyText(partId: string, exception: WireException): string {
  throw new Error('not written yet')
}

/**
 * A part failed: the body and what hangs on it will never run. Like `next` after a failure of the body;
 * `failed` begins with the body itself.
 */
export function chordFailure(body: WireSignature | Signature, context: JoinContext): Next {
  throw new Error('not written yet')
}
