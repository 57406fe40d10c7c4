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
  /** Its end was decided and recorded by others: what it still does must leave no trace. */
  readonly abandoned: boolean
}

/** A control that can be aborted; `reason` is what tasks see as `signal.reason`. */
export class StopControl implements JobControl {
  #controller: AbortController | undefined
  #reason: unknown
  #abandoned = false

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  get abandoned(): boolean {
    return this.#abandoned
  }

  /** As `abort`, and nobody waits for it any more. */
  abandon(reason: Error): void {
    this.#abandoned = true
    this.abort(reason)
  }

  abort(reason: Error): void {
    this.#reason ??= reason
    this.#controller?.abort(this.#reason)
  }
}
