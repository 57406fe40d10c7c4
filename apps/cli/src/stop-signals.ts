/** How a long-running command is told to end. */

export interface StopSignals {
  /** Aborts with the first signal. */
  readonly warm: AbortSignal
  /** Aborts with SIGQUIT, or the second Ctrl-C. */
  readonly cold: AbortSignal
  /** Listens no longer. */
  off(): void
}

/**
 * SIGTERM and the first SIGINT end warm; SIGQUIT and the second SIGINT end cold. SIGTERM again changes
 * nothing: whoever sends it twice does not mean that work be lost.
 */
export function listenForStop(onSignal: (name: NodeJS.Signals) => void = () => {}): StopSignals {
  const warm = new AbortController()
  const cold = new AbortController()
  const listener = (name: NodeJS.Signals): void => {
    const isCold = name === 'SIGQUIT' || (name === 'SIGINT' && warm.signal.aborted)
    onSignal(name)
    warm.abort()
    if (isCold) cold.abort()
  }
  const names = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const
  for (const name of names) process.on(name, listener)
  return {
    warm: warm.signal,
    cold: cold.signal,
    off: () => names.forEach((name) => process.off(name, listener)),
  }
}

/** Resolves when the signal aborts, at once when it has. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
