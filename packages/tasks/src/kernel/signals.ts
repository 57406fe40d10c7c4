/** Names and payloads of everything this package tells inside a process. Names are Celery's signals. */
import type { ExecutionReport } from './report.ts'

/** What a task is asked for; `TaskRequest` where it is known. */
type Request = { readonly id: string; readonly task: string; readonly retries: number }

/** What an app tells: its own, and everything its workers tell in this process. */
export interface AppSignals extends WorkerSignals {
  /** Before the settings are read; the first moment of `setup`. */
  onConfigure: object
  /** The settings are read. */
  onAfterConfigure: { readonly config: Readonly<Record<string, unknown>> }
  /** Everything is ready; the tasks that are registered by now are known by name. */
  onAfterFinalize: { readonly tasks: readonly string[] }
  /** A message is about to leave: its headers and properties may be changed. */
  beforeTaskPublish: {
    readonly id: string
    readonly task: string
    readonly headers: Record<string, unknown>
    readonly properties: Record<string, unknown>
    /** `[args, kwargs, embed]`, as it is to be written. */
    readonly body: readonly unknown[]
    readonly exchange: string
    readonly routingKey: string
  }
  /** A message was confirmed by the broker. */
  afterTaskPublish: {
    readonly id: string
    readonly task: string
    readonly exchange: string
    readonly routingKey: string
  }
  /** Where the task runs, before its function is called. */
  taskPrerun: {
    readonly id: string
    readonly task: string
    readonly args: readonly unknown[]
    readonly kwargs: Readonly<Record<string, unknown>>
    readonly request: Request
  }
  /** Where the task runs, after it is recorded and what follows is sent. */
  taskPostrun: {
    readonly report: ExecutionReport
    readonly request: Request
    readonly result?: unknown
  }
  /** Where the task runs: it has succeeded, and that is recorded. */
  taskSuccess: { readonly id: string; readonly task: string; readonly result: unknown }
  /** Where the task runs: it is to be tried again, for this reason. */
  taskRetry: { readonly request: Request; readonly reason: unknown }
  /** Where the task runs: it has failed for good. */
  taskFailure: {
    readonly id: string
    readonly task: string
    readonly error: unknown
    readonly request: Request
  }
}

export interface WorkerSignals {
  workerReady: { readonly hostname: string }
  /** Consuming, for the first time or again after a lost link. */
  consumerReady: { readonly recovered: boolean; readonly queues: readonly string[] }
  consumerInterrupted: { readonly error: Error }
  /** It came before its time, and waits at the broker or here; epoch milliseconds. */
  taskHeld: { readonly id: string; readonly task: string; readonly untilMs: number }
  /** It is to be run now. */
  taskReceived: { readonly id: string; readonly task: string }
  /** It has begun to run, in the process with this id. */
  taskStarted: { readonly id: string; readonly task: string; readonly pid: number }
  /** It ended by itself: succeeded, failed, retried, ignored or rejected. */
  taskEnded: { readonly report: ExecutionReport }
  /** It was not run: revoked or expired. */
  taskRevoked: { readonly id: string; readonly task: string; readonly why: 'revoked' | 'expired' }
  /** Its process died under it; `again` tells whether it will be run again. */
  taskLost: {
    readonly id: string
    readonly task: string
    readonly why: string
    readonly again: boolean
  }
  /** A message was put aside, to be looked at and replayed. */
  messageParked: {
    readonly queue: string
    readonly parkedIn: string
    readonly reason: string
    readonly id: string | undefined
    readonly task: string | undefined
  }
  /** The task refused its message: it was put aside, or goes back to its queue. */
  taskRejected: {
    readonly id: string
    readonly task: string
    readonly reason: string
    readonly requeue: boolean
  }
  /** No task of this name is registered here; its message was put aside. */
  taskUnknown: { readonly id: string; readonly task: string; readonly reason: string }
  /** Before anything is started. */
  workerInit: { readonly hostname: string }
  workerStopping: { readonly how: 'warm' | 'cold' }
  workerStopped: object
}
