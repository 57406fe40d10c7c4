/** The public names of the package. */
export { Celeriac, type AppOptions, type SendOptions } from './app/app.ts'
export { chain, chainOf, chord, group, groupOf } from './app/canvas.ts'
export type { StampingVisitor, StampOptions, Stamps } from './canvas/stamp.ts'
export { explain } from './app/explain.ts'
export type { Explanation, ExplainedPart } from './canvas/explain.ts'
export { saga, undoable } from './app/saga.ts'
export { kw } from './app/kw.ts'
export { currentApp, setCurrentApp, sharedTask, type SharedTask } from './app/shared.ts'
export { resultFromTuple } from './app/results.ts'
export { currentTask } from './execution/context.ts'
export { createWorker, type WorkerOptions } from './worker/create.ts'
export { Worker } from './worker/worker.ts'
export { AsyncResult, type GetOptions } from './result/async-result.ts'
export { EagerResult } from './result/eager-result.ts'
export { GroupResult } from './result/group-result.ts'
export { ResultGraph } from './result/graph.ts'
export { ResultSet } from './result/result-set.ts'
export { allowJoinResult, deniedJoinResult } from './result/joining.ts'
export { registerError, type ErrorRegistration } from './protocol/error-classes.ts'
export type { ProgressState } from './result/progress.ts'
export type { ControlReply, RevokeOptions } from './result/revoke.ts'
export type { ResultRecord } from './backend/result-record.ts'
export type { ResultTree } from './canvas/result-tree.ts'
export type { ResultHandle } from './result/handle.ts'
export { createBeat, type BeatOptions } from './beat/create.ts'
export { crontab } from './schedules/crontab.ts'
export { interval } from './schedules/interval.ts'
export {
  ChordError,
  ConfigError,
  Ignore,
  IncompleteStream,
  InvalidTaskError,
  MaxRetriesExceededError,
  NotRegistered,
  Reject,
  Retry,
  SecurityError,
  SoftTimeLimitExceeded,
  TaskRevokedError,
  TasksError,
  TimeLimitExceeded,
  TimeoutError,
  Terminated,
  WorkerLostError,
  WouldBlockError,
  type SecurityCode,
  type TasksCode,
} from './kernel/errors.ts'
export type { Redaction, TaskHooks, TaskOutcome } from './execution/runnable.ts'
export { DuplicateTaskError, type UniqueMode, type UniqueOptions } from './client/unique.ts'
export { RemoteError } from './protocol/failures.ts'
export type { SecurityOptions } from './security/setup.ts'
export type { Config, Settings } from './config/options.ts'
export type { TaskContext, TaskRequest } from './execution/context.ts'
export type { TaskOptions } from './app/task-options.ts'
export type { AppSignals, WorkerSignals } from './kernel/signals.ts'
export type { ExecutionReport } from './kernel/report.ts'
export type {
  AnySent,
  AnyTail,
  CallOptions,
  ChainSignature,
  ChordSignature,
  DefineTask,
  GroupSignature,
  HandleOf,
  ImmutableSignature,
  OneTail,
  Sendable,
  SignatureOf,
  TailAndKeywords,
  Task,
  TaskSignature,
} from './app/typed.ts'
export type { ErrbackMismatch, ErrbackOf, TakesFailure } from './app/errbacks.ts'
export type { FailedTask } from './execution/errback.ts'
export type { RemoteTask } from './app/remote.ts'
export type {
  AnySignature,
  Callback,
  Follow,
  Keywords,
  Kw,
  StepMismatch,
  WholeSignature,
} from './canvas/types.ts'
