/** The counting of a chord's parts, as data: for stores that keep it in one place of their own. Pure. */
import type { CountdownPart, CountdownResult, CountdownStep } from './backend.ts'

export interface CountdownState {
  /** Undefined until it is announced. */
  size: number | undefined
  /** By task id, so that a part counts once, however often it is delivered. */
  readonly parts: Map<string, CountdownPart>
}

export function newCountdown(): CountdownState {
  return { size: undefined, parts: new Map() }
}

/** Counts a part; `complete` exactly when all that were announced are there. */
export function step(state: CountdownState, part: CountdownPart): CountdownStep {
  state.parts.set(part.taskId, part)
  if (state.size === undefined || state.parts.size < state.size) return { kind: 'waiting' }
  return { kind: 'complete', parts: inOrder([...state.parts.values()]) }
}

/** In the order of the group; parts without a place last, in the order they came. */
export function inOrder(parts: readonly CountdownPart[]): CountdownResult[] {
  const place = ({ index }: CountdownPart): number => index ?? Number.MAX_SAFE_INTEGER
  return parts.toSorted((a, b) => place(a) - place(b))
}

/** True for a record whose state is final for good. */
export function isSuccess(text: string): boolean {
  return /^\{"status": ?"SUCCESS"/.test(text)
}
