/** What a worker is made of, and how it tells the end of a task. */
import type { Connection, Logger, Producer, Queue } from '@celeriac/messaging'
import type { Signals, SignalParent } from '@celeriac/messaging/internal'
import type { Config } from '../config/options.ts'
import type { Executor } from '../execution/executor.ts'
import type { RunOptions } from '../execution/runnable.ts'
import type { ExecutionReport } from '../kernel/report.ts'
import type { WorkerSignals } from '../kernel/signals.ts'
import type { ExecutionPool } from '../pool/pool.ts'

export interface WorkerServices {
  readonly config: Config
  readonly hostname: string
  readonly connection: Connection
  readonly producer: Producer
  readonly pool: ExecutionPool
  readonly executor: Executor
  readonly queues: readonly Queue[]
  readonly log: Logger
  /** The app's, who hears everything this worker tells. */
  readonly signals: SignalParent<WorkerSignals>
  find(task: string): { readonly options: RunOptions } | undefined
  suggest(task: string): string
}

export function tellEnd(signals: Signals<WorkerSignals>, report: ExecutionReport): void {
  signals.emit('taskEnded', { report })
  if (report.state !== 'REJECTED') return
  const { id, task, requeue, summary: reason } = report
  signals.emit('taskRejected', { id, task, requeue, reason })
}
