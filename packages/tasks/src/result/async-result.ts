/** The handle of one task: what became of it, what it gave, and how to wait for it. */
import type { ResultTree } from '../canvas/result-tree.ts'
import { idOf, taskTree } from '../canvas/result-tree.ts'
import type { ResultRecord } from '../backend/result-record.ts'
import { TaskRevokedError } from '../kernel/errors.ts'
import { propagateStates, isReady } from '../kernel/states.ts'
import { decodeFailure, type RemoteError } from '../protocol/failures.ts'
import type { ResultHandle } from './handle.ts'
import type { ResultReader, WaitOptions } from './wait.ts'

export interface GetOptions extends WaitOptions {
  /** Throw the task's error; default true. False resolves with the error instead. */
  readonly propagate?: boolean
  /** Called with records that are not final: progress and custom states. */
  readonly onProgress?: (record: ResultRecord) => void
}

export class AsyncResult<R = unknown> implements ResultHandle {
  readonly id: string
  readonly tree: ResultTree
  readonly #reader: ResultReader
  /** A final record never changes: it is asked for once. */
  #final: ResultRecord | undefined

  constructor(tree: ResultTree | string, reader: ResultReader) {
    this.tree = typeof tree === 'string' ? taskTree(tree) : tree
    this.id = idOf(this.tree)
    this.#reader = reader
  }

  /** What came before it in its workflow: a task, or a group (a `GroupResult`). */
  get parent(): ResultHandle | undefined {
    const [[, parent]] = this.tree
    return parent ? this.#reader.handleOf(parent) : undefined
  }

  /**
   * Waits for the result. Throws what the task threw, as a `RemoteError`; `TaskRevokedError` when it was
   * revoked; `TimeoutError` when it is not there in time.
   */
  async get(options: GetOptions = {}): Promise<R> {
    const { propagate = true, onProgress } = options
    const record = this.#final ?? (await this.#reader.wait(this.id, options, onProgress))
    this.#final = record
    if (!propagateStates.has(record.status)) return record.result as R
    const error = errorOf(record)
    if (propagate) throw error
    return error as R
  }

  /** The stored record as it is; undefined when nothing is stored. */
  async info(): Promise<ResultRecord | undefined> {
    if (this.#final) return this.#final
    const record = await this.#reader.read(this.id)
    if (record && isReady(record.status)) this.#final = record
    return record
  }

  /** `PENDING` also means: nobody has heard of it. */
  get state(): Promise<string> {
    return this.info().then((record) => record?.status ?? 'PENDING')
  }

  /** It has succeeded, failed or been revoked. */
  async ready(): Promise<boolean> {
    return isReady(await this.state)
  }

  async successful(): Promise<boolean> {
    return (await this.state) === 'SUCCESS'
  }

  async failed(): Promise<boolean> {
    return (await this.state) === 'FAILURE'
  }

  /** Where the task's error came from, as text; undefined when there is none. */
  async traceback(): Promise<string | undefined> {
    return (await this.info())?.traceback ?? undefined
  }

  /** Tasks this one has sent. */
  async children(): Promise<AsyncResult[]> {
    const trees = (await this.info())?.children ?? []
    return trees.map((tree) => new AsyncResult(tree, this.#reader))
  }

  /** Removes the stored result, and those of its parents. */
  async forget(): Promise<void> {
    this.#final = undefined
    await this.parent?.forget()
    await (await this.#reader.backend()).forget([this.id])
  }

  toString(): string {
    return this.id
  }
}

/** What the record of a failure throws. */
export function errorOf(record: ResultRecord): RemoteError | TaskRevokedError {
  const error = decodeFailure(record.result, record.traceback)
  return record.status === 'REVOKED'
    ? new TaskRevokedError(typeof error.args[0] === 'string' ? error.args[0] : 'revoked')
    : error
}
