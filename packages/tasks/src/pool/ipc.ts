/** What parent and child say to each other. Several messages of one turn travel as one array. */
import type { JobMessage } from '../kernel/job.ts'
import type { ExecutionReport } from '../kernel/report.ts'
import type { AppLocation } from '../kernel/app-location.ts'

export type ToChild =
  | { readonly kind: 'load'; readonly app: AppLocation }
  | { readonly kind: 'run'; readonly id: string; readonly message: JobMessage }
  /** The soft limit of the running job has passed. */
  | { readonly kind: 'soft'; readonly id: string; readonly seconds: number }
  /** End when nothing runs. */
  | { readonly kind: 'leave' }

export type ToParent =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly reason: string }
  | {
      readonly kind: 'done'
      readonly id: string
      readonly report: ExecutionReport
      /** Resident memory in KiB, for recycling. */
      readonly memoryKib: number
    }
