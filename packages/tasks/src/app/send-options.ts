/** What a send can be told beyond what its signature says. */
import type { DeliveryOptions } from '../canvas/signature.ts'
import type { Stamps } from '../canvas/stamp.ts'

export interface SendOptions extends DeliveryOptions {
  /** Put in front of the signature's own arguments. */
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  /** Id of the (first) task; default a new UUID. */
  readonly taskId?: string
  /** Seconds until the send rejects; default `publishTimeout`. */
  readonly timeout?: number
  /** The workflow it belongs to, and the task that sends it; default those of the task around it. */
  readonly rootId?: string
  readonly parentId?: string
  /** The task around it lists it among its children; default true. */
  readonly addToParent?: boolean
  /** Values that travel with every message of the workflow, by name. */
  readonly stamps?: Stamps
}
