/** The states of a task as they come: each once, in order, the last one final. */
import type { ResultRecord } from '../backend/result-record.ts'
import { isReady, propagateStates } from '../kernel/states.ts'
import { follow, type FollowOptions, type Leaf } from './follow.ts'
import { valueOf } from './value.ts'

export interface ProgressState {
  /** `STARTED`, `PROGRESS` or whatever the task calls it; the last one is SUCCESS, FAILURE or REVOKED. */
  readonly state: string
  /** What was stored with it; at the end the value, or the error. */
  readonly meta: unknown
  readonly record: ResultRecord
}

/** Most states that wait for a reader that is slower than the task; the oldest go. */
const mostWaiting = 10_000

export async function* states(
  leaf: Leaf,
  { propagate = true, ...options }: FollowOptions & { readonly propagate?: boolean | undefined },
): AsyncGenerator<ProgressState, void> {
  const come: ResultRecord[] = []
  let wake: (() => void) | undefined
  let failure: { readonly error: unknown } | undefined
  const onRecord = (record: ResultRecord): void => {
    if (come.length >= mostWaiting) come.shift()
    come.push(record)
    wake?.()
  }
  const end = follow(
    [leaf],
    {
      onArrival: (_place, record) => onRecord(record),
      onFail: (error) => {
        failure = { error }
        wake?.()
      },
    },
    { ...options, onProgress: onRecord },
  )
  try {
    for (;;) {
      const record = come.shift()
      if (record) {
        const { status: state } = record
        const meta = valueOf(record, leaf.reader.remoteTracebacks)
        yield { state, meta, record }
        if (propagate && propagateStates.has(state)) throw meta
        if (isReady(state)) return
      } else {
        if (failure) throw failure.error
        await new Promise<void>((resolve) => (wake = resolve))
      }
    }
  } finally {
    end()
  }
}
