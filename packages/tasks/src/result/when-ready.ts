/** Calling back once results are ready. */
import { follow, type FollowOptions, type Leaf } from './follow.ts'

/** `onReady` once all of these are final; the function returned ends the waiting, and nothing is called after. */
export function whenReady(
  leaves: readonly Leaf[],
  onReady: () => void,
  onError: ((error: unknown) => void) | undefined,
  options: FollowOptions,
): () => void {
  let left = leaves.length
  let isOver = false
  const stop = (): void => {
    isOver = true
    end()
  }
  // Never before this function has returned: whoever calls back may want to use what it gives.
  const later = (act: () => void): void =>
    queueMicrotask(() => {
      if (isOver) return
      stop()
      act()
    })
  const onArrival = (): void => {
    if (--left === 0) later(onReady)
  }
  const onFail = (error: unknown): void =>
    later(() => {
      if (onError) return onError(error)
      leaves[0]?.reader.ambient.log.warn('a result could not be waited for', {
        id: leaves[0].id,
        reason: error instanceof Error ? error.message : String(error),
      })
    })
  const end = follow(leaves, { onArrival, onFail }, options)
  if (leaves.length === 0) later(onReady)
  return stop
}
