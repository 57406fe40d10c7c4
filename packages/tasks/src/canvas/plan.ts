/**
 * Signature → what to send now and which joins to announce before. Sends nothing, remembers nothing: ids
 * come from the caller, times stay relative until the message is written.
 */
import type { Embed, WireSignature } from '../protocol/task-message.ts'
import type { DeliveryOptions, Signature } from './signature.ts'
import type { ResultTree } from './result-tree.ts'

export interface PlanContext {
  nextId(): string
  /** Address for results of those signatures that have none of their own. */
  readonly replyTo: string
  /** The task that sends this one. */
  readonly parentId?: string | undefined
  readonly rootId?: string | undefined
  /** Put in front of the signature's own arguments, unless it is immutable. */
  readonly args?: readonly unknown[] | undefined
  /** Laid over the signature's own, unless it is immutable. */
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined
  /** Laid over the signature's own. */
  readonly options?: DeliveryOptions | undefined
  /** What comes after the signature, last step first, as a message carries it. */
  readonly chain?: readonly WireSignature[] | undefined
}

/** One message to send, complete but for its times and where it goes. */
export interface PlannedCall {
  readonly id: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly embed: Embed
  readonly groupId: string | undefined
  readonly groupIndex: number | undefined
  readonly rootId: string
  readonly parentId: string | undefined
  readonly replyTo: string
  readonly retries: number
  readonly replacedTaskNesting: number
  readonly stampedHeaders: readonly string[] | undefined
  readonly stamps: Readonly<Record<string, unknown>> | undefined
  /** Of the process that sent the task first; set for retries only. */
  readonly origin: string | undefined
  readonly options: DeliveryOptions
}

/** A join: when `size` parts of the group have been counted, the body is due. Announce it before sending. */
export interface Countdown {
  readonly groupId: string
  readonly size: number
  readonly body: WireSignature
  /** Results of the members in order, for stores that cannot count. */
  readonly members: readonly ResultTree[]
}

export interface Plan {
  /** In this order. */
  readonly send: readonly PlannedCall[]
  readonly countdowns: readonly Countdown[]
  /** What the caller gets back; undefined when there was nothing to run (an empty chain). */
  readonly result: ResultTree | undefined
}

/** Throws `TASKS_SIGNATURE_INVALID` for what cannot be run. */
export function plan(signature: Signature, context: PlanContext): Plan {
  throw new Error('not written yet')
}
