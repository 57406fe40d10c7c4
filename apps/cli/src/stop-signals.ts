/** How a long-running command is told to end. */

export interface StopSignals {
  /** Aborts with the first signal. */
  readonly warm: AbortSignal
  /** Aborts with SIGQUIT, or the second Ctrl-C. */
  readonly cold: AbortSignal
  /** The same as SIGTERM, from within. */
  end(): void
  /** Listens no longer. */
  off(): void
}

/**
 * SIGTERM and the first SIGINT end warm; SIGQUIT and the second SIGINT end cold. SIGTERM again changes
 * nothing: whoever sends it twice does not mean that work be lost.
 */
export function listenForStop(
  onSignal: (name: NodeJS.Signals, how: 'warm' | 'cold') => void,
): StopSignals {
  const warm = new AbortController()
  const cold = new AbortController()
  const listener = (name: NodeJS.Signals): void => {
    const isCold = name === 'SIGQUIT' || (name === 'SIGINT' && warm.signal.aborted)
    onSignal(name, isCold ? 'cold' : 'warm')
    warm.abort()
    if (isCold) cold.abort()
  }
  const names = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const
  for (const name of names) process.on(name, listener)
  return {
    warm: warm.signal,
    cold: cold.signal,
    end: () => warm.abort(),
    off: () => names.forEach((name) => process.off(name, listener)),
  }
}

/** What a signal leads to, in words. */
export function stopText(name: NodeJS.Signals, how: 'warm' | 'cold'): string {
  if (how === 'cold') return `${name}: ending at once`
  return name === 'SIGINT' ? `${name}: ending; once more to end at once` : `${name}: ending`
}

/** Resolves when the signal aborts, at once when it has. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
