/**
 * At most one task of a kind: what "one" means is the mode, which one is meant the key. The right lies in the
 * store of results, owned for a time: whoever dies loses it when that is over.
 */
import type { ResultBackend } from '../backend/backend.ts'
import { TasksError } from '../kernel/errors.ts'

/** What becomes of a call while there is one of its key already. */
export type UniqueMode =
  /** It is refused, with `DuplicateTaskError`, until the other has ended. */
  | 'reject'
  /** It takes the place of the one that waits; one that runs already is left alone. */
  | 'replace'
  /** It is passed over for `for` seconds after the first; the caller gets the handle of that one. */
  | 'throttle'
  /** It runs `for` seconds after the last call, with the arguments of that one. */
  | 'debounce'
  /** One runs, one waits: the newest. The newest is always the last that runs, and never beside another. */
  | 'keep-last'

export interface UniqueOptions {
  /** Which calls are the same: names or places of arguments, or a text made of them; default all of them. */
  readonly key?: readonly (string | number)[] | ((...args: never[]) => string)
  /** Default `reject`. */
  readonly mode?: UniqueMode
  /**
   * Seconds. For `throttle` and `debounce` the window; for the others the longest a task that is never run holds
   * its key, default a day.
   */
  readonly for?: number
}

/** Another task of this key is waiting or running. */
export class DuplicateTaskError extends TasksError {
  /** The id of the other. */
  readonly holder: string

  constructor(task: string, key: string, holder: string) {
    super('TASKS_DUPLICATE', `${task} is unique, and ${holder} has its key ${key} already`)
    this.name = 'DuplicateTaskError'
    this.holder = holder
  }
}

/** The header in which the key travels to whoever runs the task. */
export const uniqueHeader = 'celeriac-unique'

/** A right that a running task holds is renewed this often, and gone when its process is, after the lease. */
export const leaseMs = 12_000
export const renewMs = 4000
const dayMs = 86_400_000

/** One right on one key. */
export interface Claim {
  readonly task: string
  readonly key: string
  readonly mode: UniqueMode
  readonly forMs: number
}

export function claimOf(task: string, key: string, options: UniqueOptions): Claim {
  const { mode = 'reject', for: seconds } = options
  return { task, key, mode, forMs: seconds === undefined ? dayMs : seconds * 1000 }
}

type Swap = NonNullable<ResultBackend['swap']>

export class UniqueKeys {
  readonly #backend: () => Promise<ResultBackend>

  constructor(backend: () => Promise<ResultBackend>) {
    this.#backend = backend
  }

  /**
   * Before a call is sent: the id that holds the key instead, when this one must not be sent. Rejects with
   * `TASKS_NOT_SUPPORTED` where the store cannot do this.
   */
  async admit(claim: Claim, id: string): Promise<string | undefined> {
    const swap = await this.#swap(claim)
    const { mode, forMs } = claim
    if (mode === 'reject' || mode === 'throttle') {
      const { swapped, before } = await swap(owner(claim), null, id, forMs)
      return swapped || before === id ? undefined : before
    }
    await swap(owner(claim), undefined, id, markMs(claim))
    return undefined
  }

  /** The call was not sent after all. */
  async withdraw(claim: Claim, id: string): Promise<void> {
    await (
      await this.#swap(claim)
    )(owner(claim), id, null, 0)
  }

  /** Before a task runs: whether it may, must wait, or another has taken its place. */
  async begin(claim: Claim, id: string): Promise<'run' | 'later' | 'superseded'> {
    const swap = await this.#swap(claim)
    switch (claim.mode) {
      case 'throttle':
        return 'run'
      case 'reject': {
        const { swapped, before } = await swap(owner(claim), id, id, leaseMs)
        if (swapped) return 'run'
        // Its own right is over, for it waited too long; it takes it again, or waits for who has it.
        if (before !== undefined) return 'later'
        return (await swap(owner(claim), null, id, leaseMs)).swapped ? 'run' : 'later'
      }
      case 'replace':
      case 'debounce': {
        // The mark of the newest stays: older ones may come after it.
        const { swapped, before } = await swap(owner(claim), id, id, markMs(claim))
        return swapped || before === undefined ? 'run' : 'superseded'
      }
      case 'keep-last': {
        const { swapped, before } = await swap(owner(claim), id, id, markMs(claim))
        if (!swapped && before !== undefined) return 'superseded'
        const running = await swap(runner(claim), null, id, leaseMs)
        return running.swapped || running.before === id ? 'run' : 'later'
      }
    }
  }

  /** While it runs. */
  async renew(claim: Claim, id: string): Promise<void> {
    const name = heldWhileRunning(claim)
    if (name) await (await this.#swap(claim))(name, id, id, leaseMs)
  }

  /** It has ended; with `again` it comes back as its own next attempt. */
  async end(claim: Claim, id: string, again: boolean): Promise<void> {
    const swap = await this.#swap(claim)
    const name = heldWhileRunning(claim)
    if (again && claim.mode === 'reject') await swap(owner(claim), id, id, claim.forMs)
    else if (name) await swap(name, id, null, 0)
  }

  async #swap({ task }: Claim): Promise<Swap> {
    const backend = await this.#backend()
    if (backend.swap) return backend.swap.bind(backend)
    throw new TasksError(
      'TASKS_NOT_SUPPORTED',
      `${task} is unique, which the result backend '${backend.name}' cannot keep; Redis, SQLite and memory can`,
    )
  }
}

const owner = ({ task, key }: Claim): string => `${task}:${key}`
const runner = ({ task, key }: Claim): string => `${task}:${key}:running`

/** A debounced one comes when its window is over: its mark has to last longer. */
const markMs = ({ mode, forMs }: Claim): number => (mode === 'debounce' ? forMs + dayMs : forMs)

/** What a running task holds, to be renewed and given back. */
function heldWhileRunning(claim: Claim): string | undefined {
  if (claim.mode === 'reject') return owner(claim)
  return claim.mode === 'keep-last' ? runner(claim) : undefined
}
