/**
 * A task that arrived and is to be run here: from its delivery to the settling of its message.
 *
 * At least once: the message is settled after the outcome is stored (late acknowledgement). When the
 * channel it came on is lost meanwhile, settling does nothing and the broker hands the message out again;
 * as long as the task still runs here, that new delivery is adopted instead of run a second time.
 */
import type { Delivery } from '@celeriac/messaging'
import type { Job } from '../pool/pool.ts'
import type { TaskMeta } from '../protocol/task-message.ts'

export interface Acknowledgement {
  readonly late: boolean
  /** Late ones: acknowledge failures too, instead of rejecting the message; and timeouts. */
  readonly onFailure: boolean
  readonly onTimeout: boolean
  /** Deliver again when the process that ran it died. */
  readonly againWhenLost: boolean
}

export class Request {
  readonly meta: TaskMeta
  readonly job: Job
  readonly acknowledgement: Acknowledgement
  #delivery: Delivery
  readonly #former: Delivery[] = []
  /** Set by the worker when it begins to run. */
  startedMs: number | undefined
  pid: number | undefined

  constructor(meta: TaskMeta, delivery: Delivery, job: Job, acknowledgement: Acknowledgement) {
    this.meta = meta
    this.#delivery = delivery
    this.job = job
    this.acknowledgement = acknowledgement
  }

  get delivery(): Delivery {
    return this.#delivery
  }

  /** The same message again, while the task still runs: from now on this delivery is the one to settle. */
  adopt(delivery: Delivery): void {
    this.#former.push(this.#delivery)
    this.#delivery = delivery
  }

  /** Settles the message unless that has been done (an early acknowledgement). */
  settle(outcome: 'ack' | 'requeue' | 'restore' | 'drop'): Promise<void> {
    // Of a lost channel: does nothing. Of a task that was published twice: would keep its place for ever.
    for (const former of this.#former.splice(0))
      if (!former.isSettled) former.ack().catch(() => undefined)
    return this.#delivery.isSettled ? Promise.resolve() : this.#delivery.settle(outcome)
  }
}
