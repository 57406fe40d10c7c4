/** The counting of a chord's parts, as data: for stores that keep it in one place of their own. Pure. */
import type { CountdownPart, CountdownStep } from './backend.ts'
import type { Encoded } from './result-codec.ts'

export interface CountdownState {
  /** Undefined until it is announced. */
  size: number | undefined
  /** Ids that were added after. */
  readonly extra: Set<string>
  /** By task id, so that a part counts once, however often it is delivered. */
  readonly parts: Map<string, CountdownPart>
}

export function newCountdown(): CountdownState {
  return { size: undefined, extra: new Set(), parts: new Map() }
}

/** Counts a part; `complete` exactly when all that were announced are there. */
export function step(state: CountdownState, part: CountdownPart): CountdownStep {
  state.parts.set(part.taskId, part)
  const { size, extra } = state
  if (size === undefined || state.parts.size < size + extra.size) return { kind: 'waiting' }
  return { kind: 'complete', parts: inOrder([...state.parts.values()]) }
}

/** In the order of the group; parts without a place last, in the order they came. */
export function inOrder(parts: readonly Pick<CountdownPart, 'index' | 'data'>[]): Encoded[] {
  const place = ({ index }: Pick<CountdownPart, 'index'>): number =>
    index ?? Number.MAX_SAFE_INTEGER
  return parts.toSorted((a, b) => place(a) - place(b)).map(({ data }) => data)
}
