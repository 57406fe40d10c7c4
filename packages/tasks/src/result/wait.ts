/**
 * Waiting for results: subscribed while somebody waits and not a moment longer, with a deadline, an abort
 * signal, and a look at what is stored already. One place for single results and groups.
 */
import type { Ambient } from '@celeriac/messaging'
import { sleep, TurnBatch } from '@celeriac/messaging/internal'
import type { ResultBackend, StoredData } from '../backend/backend.ts'
import { isAway } from '../backend/persist.ts'
import type { ResultRecord } from '../backend/result-record.ts'
import type { ResultTree } from '../canvas/index.ts'
import { TasksError, TimeoutError } from '../kernel/errors.ts'
import { isReady } from '../kernel/states.ts'
import type { ResultHandle } from './handle.ts'

export interface WaitOptions {
  /** Seconds until `TimeoutError`; default for ever. */
  readonly timeout?: number | undefined
  /** Ends the waiting, not the task. */
  readonly signal?: AbortSignal | undefined
}

const longestPauseMs = 1000

/** What the results of one app share: its backend, and reads of one turn that leave together. */
export class ResultReader {
  readonly ambient: Ambient
  readonly handleOf: (tree: ResultTree) => ResultHandle
  /** All tasks have ended: what is not there will never be. */
  readonly isOver: boolean
  readonly #backend: () => Promise<ResultBackend>
  readonly #isPatient: boolean
  /** Everyone who waits, to be told when the app closes. */
  readonly #waiting = new Set<(error: unknown) => void>()
  readonly #reads: TurnBatch<string, readonly (StoredData | undefined)[]>

  /** `handleOf` makes the handle a tree stands for: of a task or of a group. */
  constructor(
    backend: () => Promise<ResultBackend>,
    ambient: Ambient,
    handleOf: (tree: ResultTree, reader: ResultReader) => ResultHandle,
    { isOver = false, isPatient = false }: { isOver?: boolean; isPatient?: boolean } = {},
  ) {
    this.#isPatient = isPatient
    this.isOver = isOver
    this.ambient = ambient
    this.#backend = backend
    this.handleOf = (tree) => handleOf(tree, this)
    this.#reads = new TurnBatch(async (ids) => await (await backend()).read(ids))
  }

  /** Ends all waiting with `TASKS_STOPPED`. */
  close(): void {
    for (const fail of this.#waiting)
      fail(new TasksError('TASKS_STOPPED', 'the app was closed while a result was awaited'))
  }

  backend(): Promise<ResultBackend> {
    return this.#backend()
  }

  /** The record, undefined when nothing is stored. */
  async read(id: string): Promise<ResultRecord | undefined> {
    const { done, index } = this.#reads.add(id)
    const data = (await done)[index]
    return data === undefined ? undefined : (await this.#backend()).decode(data)
  }

  /** A store that is away when the waiting begins may be back before it ends. */
  async #patiently(look: () => Promise<void>, isOver: () => boolean): Promise<void> {
    for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        return await look()
      } catch (error) {
        if (!this.#isPatient || !isAway(error) || isOver()) throw error
        await sleep(this.ambient.clock, pauseMs)
        if (isOver()) return
      }
    }
  }

  /**
   * The first final record of `id`. Rejects with `TimeoutError` after the timeout, with `TASKS_ABORTED`
   * when the signal aborts, with `TASKS_BACKEND_FAILED` when the store cannot be asked.
   */
  async wait(
    id: string,
    options: WaitOptions = {},
    onProgress?: (record: ResultRecord) => void,
  ): Promise<ResultRecord> {
    const { timeout, signal } = options
    const backend = await this.#backend()
    let settle!: (record: ResultRecord) => void
    let fail!: (error: unknown) => void
    const found = new Promise<ResultRecord>((resolve, reject) => {
      settle = resolve
      fail = reject
    })
    let noticed = false
    const onData = (data: StoredData): void => {
      noticed = true
      try {
        const record = backend.decode(data)
        if (isReady(record.status)) settle(record)
        else onProgress?.(record)
      } catch (error) {
        fail(error)
      }
    }
    const abort = (): void =>
      fail(
        new TasksError('TASKS_ABORTED', `waiting for ${id} was ended`, { cause: signal?.reason }),
      )
    const cancelTimer =
      timeout === undefined
        ? undefined
        : this.ambient.clock.after(timeout * 1000, () =>
            fail(new TimeoutError(`no result of ${id} within ${timeout} s`)),
          )
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    this.#waiting.add(fail)
    let off: (() => void) | undefined
    let over = false
    // The deadline holds for subscribing and reading too: the store may be the one that hangs.
    const look = async (): Promise<void> => {
      if (!off) {
        const end = await backend.subscribe(id, onData)
        if (over) return end()
        off = end
      }
      const record = await this.read(id)
      if (record && isReady(record.status)) settle(record)
      else if (this.isOver) {
        throw new TasksError(
          'TASKS_NOT_READY',
          `${id} has ended without a result: it was ignored, rejected or replaced by nothing`,
        )
      }
      // Stored before anybody listened; a notice that came meanwhile is newer than what was read.
      else if (record && !noticed) onProgress?.(record)
    }
    this.#patiently(look, () => over).catch(fail)
    try {
      return await found
    } finally {
      over = true
      this.#waiting.delete(fail)
      cancelTimer?.()
      signal?.removeEventListener('abort', abort)
      off?.()
    }
  }
}
