/** What the results of one app share: their store, reads that leave together, and everyone who waits. */
import type { Ambient } from '@celeriac/messaging'
import { sleep, TurnBatch } from '@celeriac/messaging/internal'
import type { ResultBackend, StoredData } from '../backend/backend.ts'
import { isAway } from '../backend/persist.ts'
import type { ResultRecord } from '../backend/result-record.ts'
import type { ResultTree } from '../canvas/index.ts'
import { TasksError } from '../kernel/errors.ts'
import type { Member } from './group-result.ts'
import { assertMayJoin, type JoinOptions } from './joining.ts'
import type { RemoteControl } from './revoke.ts'
import { Watch, type WatchEvents, type WatchOptions, type WatchSource } from './watch.ts'

export type { WaitOptions } from './watch.ts'

export interface ReaderOptions {
  /** All tasks have ended: what is not there will never be. */
  readonly isOver?: boolean
  /** A store that is away when the waiting begins may be back before it ends. */
  readonly isPatient?: boolean
  /** True inside of a running task. */
  readonly isInTask?: () => boolean
  /** How workers are told to give up tasks. */
  readonly remote?: () => RemoteControl
  /** Errors that are read show where they were thrown in their `stack`. */
  readonly remoteTracebacks?: boolean
}

const longestPauseMs = 1000

export class ResultReader implements WatchSource {
  readonly ambient: Ambient
  readonly clock: Ambient['clock']
  readonly handleOf: (tree: ResultTree) => Member
  readonly isOver: boolean
  readonly remoteTracebacks: boolean
  readonly #backend: () => Promise<ResultBackend>
  readonly #options: ReaderOptions
  readonly #waiting = new Set<(error: unknown) => void>()
  readonly #reads: TurnBatch<string, readonly (StoredData | undefined)[]>

  /** `handleOf` makes the handle a tree stands for: of a task or of a group. */
  constructor(
    backend: () => Promise<ResultBackend>,
    ambient: Ambient,
    handleOf: (tree: ResultTree, reader: ResultReader) => Member,
    options: ReaderOptions = {},
  ) {
    this.#options = options
    this.isOver = options.isOver ?? false
    this.remoteTracebacks = options.remoteTracebacks ?? false
    this.ambient = ambient
    this.clock = ambient.clock
    this.#backend = backend
    this.handleOf = (tree) => handleOf(tree, this)
    this.#reads = new TurnBatch(async (ids) => await (await backend()).read(ids))
  }

  /** How many wait: a group counts as one. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Ends all waiting with `TASKS_STOPPED`. */
  close(): void {
    for (const fail of this.#waiting)
      fail(new TasksError('TASKS_STOPPED', 'the app was closed while a result was awaited'))
  }

  backend(): Promise<ResultBackend> {
    return this.#backend()
  }

  /** How workers are reached. Throws `TASKS_NOT_SUPPORTED` where there are none. */
  get remote(): RemoteControl {
    const { remote } = this.#options
    if (remote) return remote()
    throw new TasksError('TASKS_NOT_SUPPORTED', 'there are no workers to be told here')
  }

  /** Throws `WouldBlockError` where waiting is refused; what has ended already is never waited for. */
  assertMayJoin(options: JoinOptions): void {
    if (!this.isOver) assertMayJoin(options, this.#options.isInTask ?? (() => false))
  }

  /** The record, undefined when nothing is stored. */
  async read(id: string): Promise<ResultRecord | undefined> {
    const { done, index } = this.#reads.add(id)
    const data = (await done)[index]
    return data === undefined ? undefined : (await this.#backend()).decode(data)
  }

  readonly enlist = (fail: (error: unknown) => void): (() => void) => {
    this.#waiting.add(fail)
    return () => void this.#waiting.delete(fail)
  }

  readonly patiently = async (look: () => Promise<void>, isOver: () => boolean): Promise<void> => {
    for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        return await look()
      } catch (error) {
        if (!this.#options.isPatient || !isAway(error) || isOver()) throw error
        await sleep(this.clock, pauseMs)
        if (isOver()) return
      }
    }
  }

  /** Tells of records from now on, until it is ended. */
  watch(ids: readonly string[], events: WatchEvents, options: WatchOptions): Watch {
    return new Watch(this, ids, events, options)
  }
}
