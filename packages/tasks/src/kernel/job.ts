/** A message on its way from the worker into a pool; plain data, so that it can cross to a child. */
import type { DeliveryInfo } from './delivery-info.ts'

export interface JobMessage {
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: Readonly<Record<string, unknown>>
  readonly body: Uint8Array
  readonly delivery: DeliveryInfo
  /** Name of the worker node. */
  readonly hostname: string
}

/** How a running job is told to stop. The signal is made when somebody looks at it: most tasks never do. */
export interface JobControl {
  readonly signal: AbortSignal
  /** Its end was decided by others: what it still does must leave no trace. */
  readonly abandoned: boolean
  /**
   * Called when the task has returned, before its end is recorded. False when it was abandoned before; true
   * means that from now on it can't be: its own end is the one that counts.
   */
  finish(): boolean
}

/** A control that can be aborted; `reason` is what tasks see as `signal.reason`. */
export class StopControl implements JobControl {
  #controller: AbortController | undefined
  #reason: unknown
  #fate: 'open' | 'finishing' | 'abandoned' = 'open'

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  get abandoned(): boolean {
    return this.#fate === 'abandoned'
  }

  finish(): boolean {
    if (this.#fate === 'open') this.#fate = 'finishing'
    return this.#fate === 'finishing'
  }

  /** As `abort`, and nobody waits for it any more; false when its own end is under way. */
  abandon(reason: Error): boolean {
    if (this.#fate === 'open') this.#fate = 'abandoned'
    if (this.#fate === 'finishing') return false
    this.abort(reason)
    return true
  }

  abort(reason: Error): void {
    this.#reason ??= reason
    this.#controller?.abort(this.#reason)
  }
}
