/**
 * Contract of an execution pool: where tasks run. The worker submits, the pool runs each job through the
 * executor (in this process or in a child that has loaded the same app) and reports once. The executor
 * records results and sends what follows; the worker settles the message afterwards.
 */
import type { AppLocation } from '../kernel/app-location.ts'
import type { JobControl, JobMessage } from '../kernel/job.ts'
import type { ExecutionReport } from '../kernel/report.ts'

/** One task to run: the message as it came, so that only bytes and ids cross to a child. */
export interface Job {
  readonly id: string
  readonly task: string
  readonly message: JobMessage
  /** Milliseconds; the task is told to stop. */
  readonly softLimitMs: number | undefined
  /** Milliseconds; the task is stopped by force. */
  readonly hardLimitMs: number | undefined
}

/** How a job ended. `lost`: its process died under it; `timeLimit`: it was stopped by force. */
export type JobEnd =
  | { readonly kind: 'ran'; readonly report: ExecutionReport }
  | {
      readonly kind: 'lost'
      readonly exitCode: number | null
      readonly signal: string | null
      readonly why: string
    }
  | { readonly kind: 'timeLimit'; readonly seconds: number }
  | { readonly kind: 'terminated'; readonly signal: string }

export interface JobEvents {
  /** It has begun to run, in the process with this id. */
  onAccepted(pid: number): void
  /** Called exactly once. */
  onEnd(end: JobEnd): void
}

export interface PoolInfo {
  readonly implementation: string
  readonly maxConcurrency: number
  /** Process ids that run tasks. */
  readonly processes: readonly number[]
  readonly running: number
  readonly maxTasksPerChild: number | undefined
}

export interface ExecutionPool {
  readonly name: string
  /** Jobs that can run at once. */
  readonly size: number
  /** Resolves when every slot can take a job; rejects with the reason when the app cannot be loaded. */
  start(): Promise<void>
  /** Warm: takes no more jobs, resolves when the running ones have ended. */
  stop(): Promise<void>
  /** Cold: ends running jobs by force (`terminated`), resolves when nothing is left. */
  terminate(): Promise<void>
  /** Runs a job when a slot is free; the caller keeps at most `size` unfinished to stay fair. */
  submit(job: Job, events: JobEvents): void
  /** Ends one running job by force; false when it is not running here. */
  terminateJob(id: string, signal: string): boolean
  /** Adds (or, negative, removes idle) slots; resolves with the new size. */
  resize(by: number): Promise<number>
  info(): PoolInfo
}

/** Runs one job in this process; never rejects. The control aborts at the soft limit or on termination. */
export type Execute = (job: JobMessage, control: JobControl) => Promise<ExecutionReport>

export interface PoolOptions {
  readonly concurrency: number
  /** Jobs after which a child is replaced; undefined for never. */
  readonly maxTasksPerChild: number | undefined
  /** Resident kilobytes above which a child is replaced after its job; undefined for never. */
  readonly maxMemoryPerChildKib: number | undefined
  /** For pools that run jobs in this process. */
  readonly execute: Execute
  /** For pools with children: what a child loads to get the same app. */
  readonly app: AppLocation
  /** Milliseconds a child may take to get ready. */
  readonly startTimeoutMs: number
  readonly onWarning: (message: string, fields?: Record<string, unknown>) => void
}
