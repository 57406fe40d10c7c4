/** The result of a task that was run in the caller: it is there already. */
import { AsyncResult } from './async-result.ts'
import type { ControlReply } from './revoke.ts'

export class EagerResult<R = unknown> extends AsyncResult<R> {
  override get isEager(): true {
    return true
  }

  /** There is no worker to be told: resolves with nothing. */
  override async revoke(): Promise<readonly ControlReply[]> {
    return []
  }

  /** Nothing is kept but by this handle. */
  override async forget(): Promise<void> {}
}
