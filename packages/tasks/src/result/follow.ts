/** Final records as they come, of one result or of ten thousand; a step that fails ends those after it. */
import type { ResultRecord } from '../backend/result-record.ts'
import { idOf, type ResultTree } from '../canvas/result-tree.ts'
import { isReady, propagateStates } from '../kernel/states.ts'
import type { ResultReader } from './wait.ts'
import type { Watch, WaitOptions } from './watch.ts'

/** The result of one task, to whoever handles several. */
export interface Leaf {
  readonly id: string
  readonly reader: ResultReader
  readonly tree: ResultTree
  /** Known already. */
  readonly final: ResultRecord | undefined
  /** Keeps its final record. */
  note(record: ResultRecord): void
}

export interface FollowOptions extends WaitOptions {
  /**
   * A failed task before it in its chain ends the waiting, even when nobody said so for those after it; default
   * true.
   */
  readonly followParents?: boolean | undefined
  /** Called with records that are not final: progress and custom states. */
  readonly onProgress?: ((record: ResultRecord) => void) | undefined
}

export interface FollowEvents {
  /** Its own final record, or that of the task before it that failed. */
  onArrival(place: number, record: ResultRecord): void
  onFail(error: unknown): void
}

/**
 * Tells of each leaf once. It ends with the last of them or the first failure; the function returned ends it
 * earlier.
 */
export function follow(
  leaves: readonly Leaf[],
  { onArrival, onFail }: FollowEvents,
  { followParents = true, onProgress, ...waiting }: FollowOptions,
): () => void {
  const watches: Watch[] = []
  const hasArrived = new Uint8Array(leaves.length)
  let left = leaves.length
  let isOver = false
  // By itself, too: whoever reads an iterator may never come back for the rest.
  const end = (): void => {
    isOver = true
    for (const watch of watches) watch.end()
  }
  const fail = (error: unknown): void => {
    if (isOver) return
    end()
    onFail(error)
  }
  const arrive = (place: number, record: ResultRecord): void => {
    if (hasArrived[place] === 1) return
    hasArrived[place] = 1
    if (--left === 0) end()
    onArrival(place, record)
  }
  const byReader = new Map<ResultReader, number[]>()
  for (const [place, { final, reader }] of leaves.entries()) {
    if (final) arrive(place, final)
    else if (byReader.has(reader)) byReader.get(reader)!.push(place)
    else byReader.set(reader, [place])
  }
  for (const [reader, places] of byReader) {
    const parents = followParents ? parentsOf(leaves, places) : new Map<string, number[]>()
    const followers = [...parents.values()]
    const onRecord = (at: number, record: ResultRecord): void => {
      const place = places[at]
      if (place === undefined) {
        if (!propagateStates.has(record.status)) return
        for (const one of followers[at - places.length]!) arrive(one, record)
      } else if (!isReady(record.status)) onProgress?.(record)
      else {
        leaves[place]!.note(record)
        arrive(place, record)
      }
    }
    const ids = [...places.map((place) => leaves[place]!.id), ...parents.keys()]
    const many = places.length > 1
    const required = places.length
    const isExact = !many && onProgress !== undefined
    watches.push(
      reader.watch(
        ids,
        { onRecord, onFail: fail },
        { required, isExact, readsFirst: many, ...waiting },
      ),
    )
  }
  // It may have been over before the last watch was there to be ended.
  if (isOver) end()
  return end
}

/**
 * Tasks that run before these, with the places of those that wait for them. Not the members of groups: the join
 * of a chord reports their failure itself, as a ChordError.
 */
function parentsOf(leaves: readonly Leaf[], places: readonly number[]): Map<string, number[]> {
  const parents = new Map<string, number[]>()
  for (const place of places) {
    for (let at = parentOf(leaves[place]!.tree); at !== null; at = parentOf(at)) {
      if (at[1] !== null) continue
      const known = parents.get(idOf(at))
      if (known) known.push(place)
      else parents.set(idOf(at), [place])
    }
  }
  return parents
}

function parentOf([[, parent]]: ResultTree): ResultTree | null {
  return parent
}

/** The same as an iterator: each leaf in the order of its coming. */
export async function* arrivals(
  leaves: readonly Leaf[],
  options: FollowOptions,
): AsyncGenerator<{ readonly place: number; readonly record: ResultRecord }> {
  let come: { place: number; record: ResultRecord }[] = []
  let failure: { readonly error: unknown } | undefined
  let wake: (() => void) | undefined
  const end = follow(
    leaves,
    {
      onArrival: (place, record) => {
        come.push({ place, record })
        wake?.()
      },
      onFail: (error) => {
        failure = { error }
        wake?.()
      },
    },
    options,
  )
  try {
    for (let left = leaves.length; left > 0;) {
      const batch = come
      come = []
      left -= batch.length
      yield* batch
      if (left === 0 || come.length > 0) continue
      if (failure) throw failure.error
      await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    end()
  }
}
