/** The run of a unique task: it begins when its key is free, keeps the key while it runs, and gives it back. */
import type { Ambient } from '@celeriac/messaging'
import { claimOf, renewMs, uniqueHeader, type Claim, type UniqueKeys } from '../client/unique.ts'
import type { JobControl } from '../kernel/job.ts'
import type { Running } from './running.ts'

/** Pause before a task whose key is taken asks again. */
export const laterSeconds = 1

export class UniqueRun {
  readonly #keys: UniqueKeys
  readonly #claim: Claim
  readonly #id: string
  readonly #ambient: Ambient
  readonly #control: JobControl | undefined
  #cancel: (() => void) | undefined
  #isOver = false

  /** Undefined when the message carries no key: it was sent by somebody who knows nothing of it. */
  static of(
    { meta, runnable }: Running,
    keys: UniqueKeys,
    ambient: Ambient,
    control?: JobControl,
  ): UniqueRun | undefined {
    const options = runnable?.options.unique
    const key = options && meta.headers[uniqueHeader]
    if (options === undefined || typeof key !== 'string') return undefined
    return new UniqueRun(keys, claimOf(meta.task, key, options), meta.id, ambient, control)
  }

  private constructor(
    keys: UniqueKeys,
    claim: Claim,
    id: string,
    ambient: Ambient,
    control: JobControl | undefined,
  ) {
    this.#control = control
    this.#keys = keys
    this.#claim = claim
    this.#id = id
    this.#ambient = ambient
  }

  async begin(): Promise<'run' | 'later' | 'superseded'> {
    const answer = await this.#keys.begin(this.#claim, this.#id)
    if (answer === 'run') this.#renewLater()
    return answer
  }

  /** With `again` it comes back as its own next attempt. Does nothing the second time. */
  async end(again: boolean): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancel?.()
    await this.#keys.end(this.#claim, this.#id, again)
  }

  #renewLater(): void {
    const renew = async (): Promise<void> => {
      // One that was given up may never return; its key is not its own any more.
      if (this.#control?.abandoned) return
      // The lease outlasts a renewal that fails; the next one may succeed.
      await this.#keys.renew(this.#claim, this.#id).catch(() => undefined)
      if (!this.#isOver) this.#renewLater()
    }
    this.#cancel = this.#ambient.clock.after(renewMs, () => void renew(), { background: true })
  }
}
