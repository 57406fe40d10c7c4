/** The whole policy of "what happens to a task that just arrived", with no I/O in it. Pure. */
import type { TaskMeta } from '../../protocol/task-message.ts'

export type Decision =
  | { readonly kind: 'run' }
  /** Not before this hour, epoch milliseconds. */
  | { readonly kind: 'hold'; readonly untilMs: number }
  /** Not at all, and whoever waits is told. */
  | { readonly kind: 'drop'; readonly why: 'revoked' | 'expired' }
  /** It has taken too many workers with it: put aside. */
  | { readonly kind: 'park'; readonly why: 'deliveries' }

export interface Facts {
  readonly nowMs: number
  /** Earlier deliveries of this message that were never settled. */
  readonly attempts: number
  /** Deliveries a message gets. */
  readonly maxDeliveries: number
  isRevoked(id: string): boolean
}

export function decide(task: Pick<TaskMeta, 'id' | 'etaMs' | 'expiresMs'>, facts: Facts): Decision {
  const { etaMs, expiresMs } = task
  if (facts.isRevoked(task.id)) return { kind: 'drop', why: 'revoked' }
  if (expiresMs !== undefined && expiresMs < facts.nowMs) return { kind: 'drop', why: 'expired' }
  if (facts.attempts >= facts.maxDeliveries) return { kind: 'park', why: 'deliveries' }
  // Clocks have a grain of a millisecond: what is due within it is due.
  if (etaMs !== undefined && etaMs > facts.nowMs + 1) return { kind: 'hold', untilMs: etaMs }
  return { kind: 'run' }
}
