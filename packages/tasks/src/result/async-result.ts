/** The handle of one task: what became of it, what it gave, and how to wait for it. */
import type { ResultTree } from '../canvas/result-tree.ts'
import { idOf, taskTree } from '../canvas/result-tree.ts'
import type { ExtendedRecord, ResultRecord } from '../backend/result-record.ts'
import { TasksError } from '../kernel/errors.ts'
import { isReady, propagateStates } from '../kernel/states.ts'
import { parseIso } from '../protocol/times.ts'
import { collected, dependencies, graphOf } from './dependencies.ts'
import type { Dependency, DependencyOptions } from './dependencies.ts'
import { follow, type FollowOptions, type Leaf } from './follow.ts'
import type { ResultGraph } from './graph.ts'
import type { Member } from './group-result.ts'
import { leavesOf, type ResultHandle } from './handle.ts'
import type { JoinOptions } from './joining.ts'
import { states, type ProgressState } from './progress.ts'
import { revokeStamped, revokeTasks, type ControlReply, type RevokeOptions } from './revoke.ts'
import { errorOf, outcomeOf, valueOf, type ValueOptions } from './value.ts'
import type { ResultReader } from './wait.ts'
import { whenReady } from './when-ready.ts'

export interface GetOptions extends FollowOptions, ValueOptions, JoinOptions {
  /** Celery's name for `onProgress`. */
  readonly onMessage?: ((record: ResultRecord) => void) | undefined
  /** Accepted for its name: results that come as messages are always acknowledged when they are read. */
  readonly noAck?: boolean | undefined
}

export class AsyncResult<R = unknown> implements ResultHandle {
  readonly id: string
  readonly tree: ResultTree
  /** Its task stores no result: `get()` resolves at once, with undefined. */
  ignored = false
  readonly #reader: ResultReader
  /** A final record never changes: it is asked for once. */
  #final: ResultRecord | undefined

  constructor(tree: ResultTree | string, reader: ResultReader) {
    if (tree === '' || (typeof tree !== 'string' && !Array.isArray(tree))) {
      const found = tree === '' ? 'an empty text' : typeof tree
      throw new TasksError('TASKS_ARGUMENTS_INVALID', `a result needs an id, found ${found}`)
    }
    this.tree = typeof tree === 'string' ? taskTree(tree) : (tree as ResultTree)
    this.id = idOf(this.tree)
    this.#reader = reader
  }

  /** It was run in the caller and has ended: a result of `apply()`. */
  get isEager(): boolean {
    return this.#reader.isOver
  }

  /** What came before it in its workflow: a task, or a group (a `GroupResult`). */
  get parent(): Member | undefined {
    const [[, parent]] = this.tree
    return parent ? this.#reader.handleOf(parent) : undefined
  }

  /**
   * Waits for the result. Throws what the task threw: an instance of its class where that is known, else a
   * `RemoteError`; `TaskRevokedError` when it was revoked; `TimeoutError` when it is not there in time;
   * `WouldBlockError` inside of a running task.
   */
  async get(options: GetOptions = {}): Promise<R> {
    if (this.ignored) return undefined as R
    this.#reader.assertMayJoin(options)
    const record = this.#final ?? (await this.#arrival(options))
    return outcomeOf(this.id, record, options, this.#reader.remoteTracebacks) as R
  }

  /** Celery's older name for `get`. */
  wait(options: GetOptions = {}): Promise<R> {
    return this.get(options)
  }

  async #arrival({ onMessage, onProgress = onMessage, ...options }: GetOptions) {
    let end: (() => void) | undefined
    try {
      return await new Promise<ResultRecord>((resolve, reject) => {
        const onArrival = (_place: number, record: ResultRecord): void => resolve(record)
        const given = { ...options, onProgress }
        end = follow(this[leavesOf](), { onArrival, onFail: reject }, given)
      })
    } finally {
      end?.()
    }
  }

  [leavesOf](): readonly Leaf[] {
    const { id, tree } = this
    const note = (record: ResultRecord): void => void (this.#final = record)
    return [{ id, tree, reader: this.#reader, final: this.#final, note }]
  }

  /**
   * The states of the task as they come (`updateState`, in Python `update_state`): each once, in order, the final
   * one last, after which an error is thrown unless `propagate` is false. Stores that cannot notify are looked at,
   * and may miss states that did not last.
   */
  progress(
    options: FollowOptions & { readonly propagate?: boolean } = {},
  ): AsyncGenerator<ProgressState, void> {
    return states(this[leavesOf]()[0]!, options)
  }

  /**
   * Calls back once it is ready, whatever came of it. What keeps it from being known (a timeout, the end of the
   * app) goes to `onError`, or else to the log. The function returned ends the waiting. Celery: `then`, which here
   * would make `await` wait for the task.
   */
  onReady(
    callback: (result: this) => void,
    onError?: (error: unknown) => void,
    options: FollowOptions = {},
  ): () => void {
    return whenReady(this[leavesOf](), () => callback(this), onError, options)
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

  /** Celery's other name for `state`. */
  get status(): Promise<string> {
    return this.state
  }

  /**
   * What is stored now, without waiting: the value, the error of what failed, was revoked or is tried again, what
   * `updateState` was given; undefined when there is nothing.
   */
  async result(): Promise<unknown> {
    const record = await this.info()
    return record && valueOf(record, this.#reader.remoteTracebacks)
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

  /** Something is stored for it. */
  async exists(): Promise<boolean> {
    return (await this.info()) !== undefined
  }

  /** Where the task's error came from, as text; undefined when there is none. */
  async traceback(): Promise<string | undefined> {
    return (await this.info())?.traceback ?? undefined
  }

  /** When it ended; undefined while it has not. */
  async dateDone(): Promise<Date | undefined> {
    const { dateDone = null } = (await this.info()) ?? {}
    const ms = dateDone === null ? undefined : parseIso(dateDone)
    return ms === undefined ? undefined : new Date(ms)
  }

  /** Name of the task. This and the five after it are stored with the setting `resultExtended` only. */
  async name(): Promise<string | undefined> {
    return await this.#extended('name')
  }

  async args(): Promise<readonly unknown[] | undefined> {
    return await this.#extended('args')
  }

  async kwargs(): Promise<Readonly<Record<string, unknown>> | undefined> {
    return await this.#extended('kwargs')
  }

  /** Name of the worker that ran it. */
  async worker(): Promise<string | undefined> {
    return await this.#extended('worker')
  }

  async retries(): Promise<number | undefined> {
    return await this.#extended('retries')
  }

  /** The queue it came from; as in Celery in truth its routing key. */
  async queue(): Promise<string | undefined> {
    return await this.#extended('queue')
  }

  async #extended<K extends keyof ExtendedRecord>(name: K): Promise<ExtendedRecord[K] | undefined> {
    return (await this.info())?.extended?.[name]
  }

  /** What this one has sent: tasks and groups. */
  async children(): Promise<Member[]> {
    const trees = (await this.info())?.children ?? []
    return trees.map((tree) => this.#reader.handleOf(tree))
  }

  /**
   * Every result that comes of this one: itself, what it has sent, what those have sent, and members of groups,
   * with their parents. Throws `IncompleteStream` at a task that has not ended.
   */
  iterdeps(options: DependencyOptions = {}): AsyncGenerator<Dependency> {
    return dependencies(this as AsyncResult, options)
  }

  /** The same results with their values, each waited for. */
  collect(
    options: GetOptions & DependencyOptions = {},
  ): AsyncGenerator<readonly [Member, unknown]> {
    return collected(this as AsyncResult, options)
  }

  /** The value of the last result of `collect()`. */
  async getLeaf(options: GetOptions & DependencyOptions = {}): Promise<unknown> {
    let last: unknown
    for await (const [, value] of this.collect(options)) last = value
    return last
  }

  /** The results of `iterdeps()` as a graph. */
  async buildGraph(options: DependencyOptions = {}): Promise<ResultGraph> {
    return await graphOf(this as AsyncResult, options)
  }

  /** `buildGraph()` with its defaults. */
  graph(): Promise<ResultGraph> {
    return this.buildGraph()
  }

  /** Throws the error of a task that has failed or was revoked; else what `result()` gives. Does not wait. */
  async maybeThrow(options: ValueOptions = {}): Promise<unknown> {
    const record = await this.info()
    if (!record) return undefined
    return outcomeOf(this.id, record, options, this.#reader.remoteTracebacks)
  }

  /** The error of a task that has failed or was revoked; undefined for others. Does not wait. */
  async error(): Promise<Error | undefined> {
    const record = await this.info()
    if (!record || !propagateStates.has(record.status)) return undefined
    return errorOf(record, this.#reader.remoteTracebacks)
  }

  /**
   * Asks the task to end: it sees so when it asks `this.isAborted()`. Its state is `ABORTED` until it ends.
   */
  async abort(): Promise<void> {
    const backend = await this.#reader.backend()
    const data = backend.encode({
      taskId: this.id,
      status: 'ABORTED',
      result: null,
      traceback: null,
      children: null,
      dateDone: null,
    })
    await backend.store([{ id: this.id, state: 'ABORTED', data }])
  }

  async isAborted(): Promise<boolean> {
    return (await this.state) === 'ABORTED'
  }

  /** Removes the stored result, and those of its parents. */
  async forget(): Promise<void> {
    this.#final = undefined
    await this.parent?.forget()
    await (await this.#reader.backend()).forget([this.id])
  }

  /**
   * Tells the workers not to run it, and with `terminate` to stop it when it runs. Resolves with their answers
   * when `wait` is set, else when the broker has the command.
   */
  async revoke(options: RevokeOptions = {}): Promise<readonly ControlReply[]> {
    return await revokeTasks(this.#reader.remote, this.id, options)
  }

  /** Tells the workers to give up all tasks, not only this one, that carry these stamps. */
  async revokeByStampedHeaders(
    headers: Readonly<Record<string, string | readonly string[]>>,
    options: RevokeOptions = {},
  ): Promise<readonly ControlReply[]> {
    return await revokeStamped(this.#reader.remote, headers, options)
  }

  /** The store tells of results, so that waiting for many costs nothing while nothing comes. */
  async supportsNativeJoin(): Promise<boolean> {
    return !this.isEager && (await this.#reader.backend()).capabilities.notifies
  }

  /** `[[id, parent], null]`, as Celery writes it. */
  asTuple(): ResultTree {
    return this.tree
  }

  /** Its id, and those of its parents. */
  asList(): string[] {
    const ids: string[] = []
    for (let at: ResultTree | null = this.tree; at !== null; [[, at]] = at) ids.push(idOf(at))
    return ids
  }

  /** A result of the same task, or its id. */
  equals(other: unknown): boolean {
    return other instanceof AsyncResult ? other.id === this.id : other === this.id
  }

  toString(): string {
    return this.id
  }

  toJSON(): ResultTree {
    return this.tree
  }
}
