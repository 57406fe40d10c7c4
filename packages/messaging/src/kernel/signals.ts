/**
 * Typed signals inside one process: code says once that something happened, and logging, events and
 * metrics subscribe. A listener that throws never harms the emitter or the other listeners.
 */

export type Listener<T> = (payload: T) => void

/** `Payloads` is a type of signal names and their payloads. */
export class Signals<Payloads extends object> {
  readonly #listeners = new Map<keyof Payloads, Set<Listener<never>>>()
  readonly #onListenerError: (error: unknown) => void

  constructor(onListenerError: (error: unknown) => void = () => undefined) {
    this.#onListenerError = onListenerError
  }

  /** Calls `listener` at every emit; the returned function unsubscribes. */
  on<K extends keyof Payloads>(name: K, listener: Listener<Payloads[K]>): () => void {
    let set = this.#listeners.get(name)
    if (!set) this.#listeners.set(name, (set = new Set()))
    set.add(listener)
    return () => void set.delete(listener)
  }

  /** The payload of the next emit; rejects when `signal` aborts first. */
  once<K extends keyof Payloads>(name: K, signal?: AbortSignal): Promise<Payloads[K]> {
    return new Promise((resolve, reject) => {
      const off = this.on(name, (payload) => {
        off()
        signal?.removeEventListener('abort', abort)
        resolve(payload)
      })
      const abort = (): void => {
        off()
        reject(signal?.reason as Error)
      }
      if (signal?.aborted) abort()
      else signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** True when somebody listens, so that costly payloads are only built when needed. */
  has(name: keyof Payloads): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0
  }

  emit<K extends keyof Payloads>(name: K, payload: Payloads[K]): void {
    const set = this.#listeners.get(name)
    if (!set) return
    for (const listener of set) {
      try {
        ;(listener as Listener<Payloads[K]>)(payload)
      } catch (error) {
        this.#onListenerError(error)
      }
    }
  }
}
