/** Which of the waiting messages a claim takes: urgent ones first, among equal queues in turns. Pure. */

export interface Candidate {
  readonly id: unknown
  /** As stored: the lowest is the most urgent. */
  readonly priority: number
}

/** Ids in the order of delivery; each list is one queue's, in its own order. */
export function choose(waiting: readonly (readonly Candidate[])[], max: number): unknown[] {
  const lists = waiting.map((list) => ({ list, next: 0 }))
  const chosen: unknown[] = []
  while (chosen.length < max) {
    let served: (typeof lists)[number] | undefined
    for (const one of lists) {
      const candidate = one.list[one.next]
      if (candidate && !(served && served.list[served.next]!.priority <= candidate.priority))
        served = one
    }
    if (!served) break
    chosen.push(served.list[served.next++]!.id)
    // Served last, asked last.
    lists.push(...lists.splice(lists.indexOf(served), 1))
  }
  return chosen
}
