/** Which messages a claim takes: urgent ones first, and among queues of equal urgency in turns. */
import type { SqliteRow } from '../../clients/sqlite.ts'
import type { Taken } from '../../virtual/store.ts'
import type { Statements } from './schema.ts'

interface Candidate {
  readonly id: number
  readonly priority: number
}

/** Runs inside a write transaction. */
export function claim(
  sql: Statements,
  session: number,
  queues: readonly string[],
  max: number,
): Taken[] {
  if (queues.length === 1) {
    const rows = sql.claim.all(session, queues[0]!, max)
    // A RETURNING clause promises no order.
    rows.sort(
      (a, b) => Number(b['priority']) - Number(a['priority']) || Number(a['id']) - Number(b['id']),
    )
    return rows.map((row) => toTaken(row))
  }
  const waiting = queues.map((queue) => sql.candidates.all(queue, max) as unknown as Candidate[])
  const chosen = choose(waiting, max)
  if (chosen.length === 0) return []
  const rows = new Map<unknown, Taken>()
  for (const row of sql.claimThese.all(session, JSON.stringify(chosen)))
    rows.set(row['id'], toTaken(row))
  return chosen.map((id) => rows.get(id)!)
}

/** Ids in the order of delivery; each list is one queue's, in its own order. Pure. */
export function choose(waiting: readonly (readonly Candidate[])[], max: number): number[] {
  const chosen: number[] = []
  const at = waiting.map(() => 0)
  let turns = waiting.map((_, queue) => queue)
  while (chosen.length < max) {
    let best: number | undefined
    let urgency = -Infinity
    for (const queue of turns) {
      const next = waiting[queue]![at[queue]!]
      if (next && next.priority > urgency) [best, urgency] = [queue, next.priority]
    }
    if (best === undefined) break
    const served = best
    chosen.push(waiting[served]![at[served]!]!.id)
    at[served]!++
    turns = [...turns.filter((queue) => queue !== served), served]
  }
  return chosen
}

/** A row of a claim. */
export function toTaken(row: SqliteRow): Taken {
  return {
    receipt: String(row['id']),
    queue: row['queue'] as string,
    text: row['text'] as string,
    attempts: row['attempts'] as number,
  }
}
