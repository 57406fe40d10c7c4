/**
 * What a running task sees as `this`, and where anything it calls can find it: the current task lives in
 * AsyncLocalStorage, so two tasks in one process never see each other's.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Logger } from '@celeriac/messaging'
import type { WireSignature } from '../protocol/task-message.ts'
import type { WholeSignature } from '../canvas/types.ts'
import type { ResultTree } from '../canvas/result-tree.ts'
import type { RetryOptions } from '../kernel/errors.ts'
import type { DeliveryInfo } from '../kernel/delivery-info.ts'

/** The request a task answers: who asked for what, and how often it was tried. */
export interface TaskRequest {
  readonly id: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  /** Attempts before this one that asked for a retry. */
  readonly retries: number
  /** Earlier deliveries of this very attempt whose worker died. */
  readonly deliveries: number
  readonly hostname: string
  readonly rootId: string
  readonly parentId: string | undefined
  readonly groupId: string | undefined
  readonly groupIndex: number | undefined
  readonly correlationId: string | undefined
  readonly replyTo: string | undefined
  readonly origin: string | undefined
  /** Epoch milliseconds. */
  readonly etaMs: number | undefined
  /** Epoch milliseconds. */
  readonly expiresMs: number | undefined
  /** Seconds: hard, soft. */
  readonly timeLimit: readonly [number | undefined, number | undefined]
  readonly headers: Readonly<Record<string, unknown>>
  readonly stampedHeaders: readonly string[] | undefined
  readonly stamps: Readonly<Record<string, unknown>>
  /** Language of who sent it, as its header says: `py`, `js`. */
  readonly lang: string | undefined
  /** The name logs and monitors show instead of the task's own. */
  readonly shadow: string | undefined
  /** Short texts of the arguments, as they travel in the headers. */
  readonly argsRepr: string
  readonly kwargsRepr: string
  readonly ignoreResult: boolean
  readonly replacedTaskNesting: number
  /** What comes after it, as the message carries it: `chain` has its last step first. */
  readonly callbacks: readonly WireSignature[] | null
  readonly errbacks: readonly WireSignature[] | null
  readonly chain: readonly WireSignature[] | null
  readonly chord: WireSignature | null
  readonly priority: number | undefined
  /** Properties of the message. */
  readonly properties: Readonly<Record<string, unknown>>
  readonly deliveryInfo: DeliveryInfo
  /** It runs in the caller, without a broker. */
  readonly isEager: boolean
  /** The function was called directly, without a message. */
  readonly calledDirectly: boolean
}

export interface TaskContext {
  readonly request: TaskRequest
  /** Aborts at the soft time limit and on termination; give it to whatever waits. */
  readonly signal: AbortSignal
  readonly log: Logger
  /**
   * What to throw to run again: `throw this.retry({ countdown: 5 })`. When no retries are left it is the
   * cause, or `MaxRetriesExceededError`.
   */
  retry(options?: RetryOptions): Error
  /** Stores a custom state, for those who watch: `await this.updateState('PROGRESS', { done: 3 })`. */
  updateState(state: string, meta?: unknown): Promise<void>
  /**
   * What to throw so that another signature takes the place of this task, with its id, links and what comes
   * after it: `throw this.replace(other.s(1))`. A group gives its results as one list.
   */
  replace(signature: WholeSignature): Error
  /**
   * Sends one member more of the chord this task is a header member of; the body waits for it, too. Rejects
   * with `TASKS_NOT_SUPPORTED` outside of a header, and where the result backend does not count.
   */
  addToChord(signature: WholeSignature): Promise<string>
  /** Tells those who watch the workers something: an event of this type about this task. */
  sendEvent(type: string, fields?: Readonly<Record<string, unknown>>): Promise<void>
  /** Whether somebody asked it to end (`result.abort()`): looks into the result backend. */
  isAborted(): Promise<boolean>
  /** What was sent while it runs, oldest first: ids of tasks and groups. */
  readonly children: readonly string[]
}

/** The current execution, as code that sends tasks sees it. */
export interface Execution {
  readonly context: TaskContext
  /** Results of what was sent while it ran. */
  readonly children: ResultTree[]
}

const current = new AsyncLocalStorage<Execution>()

/** The execution this code runs in; undefined outside of tasks. */
export function currentExecution(): Execution | undefined {
  return current.getStore()
}

/** Calls `body` as a part of this execution. */
export function within<T>(execution: Execution, body: () => T): T {
  return current.run(execution, body)
}

/** The task this code runs in: what its function sees as `this`. Undefined outside of tasks. */
export function currentTask(): TaskContext | undefined {
  return current.getStore()?.context
}
