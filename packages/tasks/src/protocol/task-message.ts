/**
 * The shape of a task on the wire (Celery's message protocol 2) and in this program. Types only: encode.ts
 * writes it, decode.ts reads it. Nothing outside this folder knows the wire's names.
 */
import type { Properties } from '@celeriac/messaging'

/** A signature as it travels; `chain`, `group` and `chord` keep their parts in `kwargs`. */
export interface WireSignature {
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly options: Readonly<Record<string, unknown>>
  readonly subtask_type: string | null
  readonly immutable: boolean
}

/** What must happen after the task, as the message carries it. */
export interface Embed {
  readonly callbacks: readonly WireSignature[] | null
  readonly errbacks: readonly WireSignature[] | null
  /** The rest of the chain, last step first. */
  readonly chain: readonly WireSignature[] | null
  /** The body of the chord this task is a header member of. */
  readonly chord: WireSignature | null
}

/** Everything about one execution that its headers tell; the body is not needed to decide what to do. */
export interface TaskMeta {
  readonly id: string
  readonly task: string
  readonly shadow: string | undefined
  /** Earliest start, epoch milliseconds; microseconds are kept as a fraction. */
  readonly etaMs: number | undefined
  /** Not to be started after, epoch milliseconds; microseconds are kept as a fraction. */
  readonly expiresMs: number | undefined
  readonly groupId: string | undefined
  readonly groupIndex: number | undefined
  readonly retries: number
  /** Seconds. */
  readonly hardLimit: number | undefined
  /** Seconds. */
  readonly softLimit: number | undefined
  readonly rootId: string
  readonly parentId: string | undefined
  readonly argsRepr: string
  readonly kwargsRepr: string
  readonly origin: string | undefined
  readonly ignoreResult: boolean
  readonly replacedTaskNesting: number
  readonly stampedHeaders: readonly string[] | undefined
  readonly stamps: Readonly<Record<string, unknown>>
  /** Headers that are neither the protocol's own nor a broker's. */
  readonly headers: Readonly<Record<string, unknown>>
  readonly correlationId: string | undefined
  readonly replyTo: string | undefined
  readonly priority: number | undefined
}

/** What the body carries: the arguments and what follows. */
export interface TaskPayload {
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly embed: Embed
}

/** A task that is to be sent: complete, nothing left to decide but where to. */
export interface OutgoingTask extends TaskPayload {
  readonly id: string
  readonly task: string
  readonly shadow?: string | undefined
  /** ISO 8601 text, exactly as it goes out. */
  readonly eta?: string | undefined
  /** ISO 8601 text, exactly as it goes out. */
  readonly expires?: string | undefined
  readonly groupId?: string | undefined
  readonly groupIndex?: number | undefined
  readonly retries?: number | undefined
  /** Seconds. */
  readonly hardLimit?: number | undefined
  /** Seconds. */
  readonly softLimit?: number | undefined
  /** The task's own id when absent. */
  readonly rootId?: string | undefined
  readonly parentId?: string | undefined
  /** Made from the arguments when absent. */
  readonly argsRepr?: string | undefined
  readonly kwargsRepr?: string | undefined
  readonly ignoreResult?: boolean | undefined
  readonly replacedTaskNesting?: number | undefined
  readonly stampedHeaders?: readonly string[] | undefined
  readonly stamps?: Readonly<Record<string, unknown>> | undefined
  /** Headers of the user's own, merged flat. */
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  readonly origin: string
  readonly replyTo: string
  readonly priority?: number | undefined
  /** 1 transient, 2 persistent; 2 when absent. */
  readonly deliveryMode?: 1 | 2 | undefined
  /** Further message properties of the user's own; those of the protocol win. */
  readonly properties?: Properties | undefined
}

export const emptyEmbed: Embed = Object.freeze({
  callbacks: null,
  errbacks: null,
  chain: null,
  chord: null,
})
