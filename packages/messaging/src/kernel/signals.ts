/**
 * Typed signals inside one process: code says once that something happened, and logging, events and
 * metrics subscribe. A listener that throws never harms the emitter or the other listeners.
 */

export type Listener<T> = (payload: T) => void

/** Somebody who is told, too. */
export interface SignalParent<Payloads extends object> {
  has(name: keyof Payloads): boolean
  emit<K extends keyof Payloads>(name: K, payload: Payloads[K]): void
}

/** `Payloads` is a type of signal names and their payloads. */
export class Signals<Payloads extends object> {
  readonly #listeners = new Map<keyof Payloads, Set<Listener<never>>>()
  readonly #onListenerError: (error: unknown) => void
  readonly #parent: SignalParent<Payloads> | undefined

  /** `parent` hears everything that is emitted here. */
  constructor(
    onListenerError: (error: unknown) => void = () => undefined,
    parent?: SignalParent<Payloads>,
  ) {
    this.#onListenerError = onListenerError
    this.#parent = parent
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
    return (this.#listeners.get(name)?.size ?? 0) > 0 || (this.#parent?.has(name) ?? false)
  }

  emit<K extends keyof Payloads>(name: K, payload: Payloads[K]): void {
    this.#parent?.emit(name, payload)
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
