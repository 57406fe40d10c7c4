/** Several results as one, in order. */
import type { ResultRecord } from '../backend/result-record.ts'
import { taskIds } from '../canvas/result-tree.ts'
import { TasksError } from '../kernel/errors.ts'
import { isReady } from '../kernel/states.ts'
import { AsyncResult, type GetOptions } from './async-result.ts'
import { arrivals, type FollowOptions, type Leaf } from './follow.ts'
import type { GroupResult, Member } from './group-result.ts'
import { leavesOf } from './handle.ts'
import { revokeTasks, type ControlReply, type RevokeOptions } from './revoke.ts'
import { outcomeOf, type ValueOptions } from './value.ts'
import type { ResultReader } from './wait.ts'
import { whenReady } from './when-ready.ts'

/** Ids one removal names at most. */
const chunkSize = 1000

export class ResultSet<
  R extends readonly unknown[] = readonly unknown[],
> implements Iterable<Member> {
  readonly #results: Member[] = []
  readonly #ids = new Set<string>()

  constructor(results: Iterable<Member> = []) {
    for (const one of results) {
      this.#results.push(one)
      this.#ids.add(one.id)
    }
  }

  /** The members: tasks, and groups inside of it. */
  get results(): readonly Member[] {
    return this.#results
  }

  get length(): number {
    return this.#results.length
  }

  [Symbol.iterator](): Iterator<Member> {
    return this.#results[Symbol.iterator]()
  }

  /** A member by its place; negative ones count from the end. */
  at(place: number): Member | undefined {
    return this.#results.at(place)
  }

  /** True for a member, or its id. */
  has(result: Member | string): boolean {
    return this.#ids.has(typeof result === 'string' ? result : result.id)
  }

  /** Adds a result; one of the same id is not added twice. */
  add(result: Member): void {
    if (this.has(result)) return
    this.#results.push(result)
    this.#ids.add(result.id)
  }

  /** Adds all of these. */
  update(results: Iterable<Member>): void {
    for (const one of results) this.add(one)
  }

  /** Takes a member out, by itself or its id. Throws `TASKS_ARGUMENTS_INVALID` when it is none. */
  remove(result: Member | string): void {
    if (this.discard(result)) return
    const id = typeof result === 'string' ? result : result.id
    throw new TasksError('TASKS_ARGUMENTS_INVALID', `${id} is not in this set of results`)
  }

  /** Takes a member out; false when it was none. */
  discard(result: Member | string): boolean {
    const id = typeof result === 'string' ? result : result.id
    if (!this.#ids.delete(id)) return false
    const place = this.#results.findIndex((one) => one.id === id)
    this.#results.splice(place, 1)
    return true
  }

  clear(): void {
    this.#results.length = 0
    this.#ids.clear()
  }

  [leavesOf](): readonly Leaf[] {
    return this.#results.flatMap((one) => one[leavesOf]())
  }

  /** All of them ran in the caller. */
  get isEager(): boolean {
    return this.#results.length > 0 && this.#results.every((one) => one.isEager)
  }

  /**
   * All results in order. Throws the first error that any of them throws, unless told otherwise, when it comes:
   * the others are not waited for.
   */
  async get(options: GetOptions = {}): Promise<R> {
    const values: unknown[] = []
    for await (const { index, value } of this.iterate(options)) values[index] = value
    return values as unknown as R
  }

  /** Celery's name for `get` where the store is asked again and again. */
  join(options: GetOptions = {}): Promise<R> {
    return this.get(options)
  }

  /** Celery's name for `get` where the store tells. */
  joinNative(options: GetOptions = {}): Promise<R> {
    return this.get(options)
  }

  /** Results as they come, each with its place. A group inside comes when all of it has. */
  async *iterate(
    options: GetOptions = {},
  ): AsyncGenerator<{ readonly index: number; readonly value: R[number] }> {
    const results = [...this.#results]
    const leaves = this[leavesOf]()
    this.#assertMayJoin(leaves, options)
    const { onMessage, onProgress = onMessage } = options
    const parts = partsOf(results)
    for (const part of parts.empty) yield { index: part, value: assemble(results[part]!, []) }
    for await (const { place, record } of arrivals(leaves, { ...options, onProgress })) {
      const { id, reader } = leaves[place]!
      const value = outcomeOf(id, record, options, reader.remoteTracebacks)
      const { index, first } = parts.of[place]!
      const member = results[index]
      if (member === undefined || member instanceof AsyncResult) yield { index, value }
      else {
        const values = (parts.values[index] ??= [])
        values[place - first] = value
        if (--parts.left[index]! > 0) continue
        yield { index, value: assemble(member, values) }
        parts.values[index] = undefined
      }
    }
  }

  /** Final records as they come, errors among them; the members of groups inside one by one. */
  async *iterNative(
    options: FollowOptions = {},
  ): AsyncGenerator<{ readonly id: string; readonly record: ResultRecord }> {
    const leaves = this[leavesOf]()
    for await (const { place, record } of arrivals(leaves, options))
      yield { id: leaves[place]!.id, record }
  }

  /** The store tells of results: see `AsyncResult.supportsNativeJoin`. False for an empty set. */
  async supportsNativeJoin(): Promise<boolean> {
    return (await this.#results[0]?.supportsNativeJoin()) ?? false
  }

  /**
   * Calls back once all are ready, whatever came of them; what keeps that from being known goes to `onError`. The
   * function returned ends the waiting. Celery: `then`.
   */
  onReady(
    callback: (result: this) => void,
    onError?: (error: unknown) => void,
    options: FollowOptions = {},
  ): () => void {
    return whenReady(this[leavesOf](), () => callback(this), onError, options)
  }

  /** The records of all tasks, those that are not known yet in one read. */
  async #records(): Promise<(ResultRecord | undefined)[]> {
    const leaves = this[leavesOf]()
    return await Promise.all(
      leaves.map(async ({ final, id, reader, note }) => {
        if (final) return final
        const record = await reader.read(id)
        if (record && isReady(record.status)) note(record)
        return record
      }),
    )
  }

  /** All have succeeded, failed or been revoked. */
  async ready(): Promise<boolean> {
    return (await this.#records()).every((record) => record && isReady(record.status))
  }

  /** Any is not ready. */
  async waiting(): Promise<boolean> {
    return !(await this.ready())
  }

  async successful(): Promise<boolean> {
    return (await this.#records()).every((record) => record?.status === 'SUCCESS')
  }

  /** True when any member failed. */
  async failed(): Promise<boolean> {
    return (await this.#records()).some((record) => record?.status === 'FAILURE')
  }

  /** Tasks that have succeeded. */
  async completedCount(): Promise<number> {
    return (await this.#records()).filter((record) => record?.status === 'SUCCESS').length
  }

  /** Throws the error of the first that has failed or was revoked. Does not wait. */
  async maybeThrow(options: ValueOptions = {}): Promise<void> {
    const leaves = this[leavesOf]()
    for (const [place, record] of (await this.#records()).entries()) {
      const { id, reader } = leaves[place]!
      if (record) outcomeOf(id, record, options, reader.remoteTracebacks)
    }
  }

  /** Removes the stored results, and those of what came before them. */
  async forget(): Promise<void> {
    const byReader = new Map<ResultReader, Set<string>>()
    for (const { tree, reader } of this[leavesOf]()) {
      if (!byReader.has(reader)) byReader.set(reader, new Set())
      for (const id of taskIds(tree)) byReader.get(reader)!.add(id)
    }
    for (const [reader, ids] of byReader) {
      const backend = await reader.backend()
      const all = [...ids]
      for (let i = 0; i < all.length; i += chunkSize)
        await backend.forget(all.slice(i, i + chunkSize))
    }
  }

  /** Tells the workers in one command not to run them: see `AsyncResult.revoke`. */
  async revoke(options: RevokeOptions = {}): Promise<readonly ControlReply[]> {
    const byReader = new Map<ResultReader, string[]>()
    for (const { id, reader } of this[leavesOf]()) {
      if (reader.isOver) continue
      if (byReader.has(reader)) byReader.get(reader)!.push(id)
      else byReader.set(reader, [id])
    }
    const replies: ControlReply[] = []
    for (const [{ remote }, ids] of byReader)
      replies.push(...(await revokeTasks(remote, ids, options)))
    return replies
  }

  #assertMayJoin(leaves: readonly Leaf[], options: GetOptions): void {
    for (const reader of new Set(leaves.map((leaf) => leaf.reader))) reader.assertMayJoin(options)
  }

  /** Another set of the same results in the same order. */
  equals(other: unknown): boolean {
    return (
      other instanceof ResultSet &&
      other.length === this.length &&
      this.#results.every((one, place) => one.equals(other.at(place)))
    )
  }
}

interface Parts {
  /** For each task its member, and the first task of that member. */
  readonly of: readonly { readonly index: number; readonly first: number }[]
  /** Tasks of each member that have not come. */
  readonly left: number[]
  readonly values: (unknown[] | undefined)[]
  /** Members without any task. */
  readonly empty: readonly number[]
}

function partsOf(results: readonly Member[]): Parts {
  const of: { index: number; first: number }[] = []
  const left: number[] = []
  const empty: number[] = []
  for (const [index, one] of results.entries()) {
    const first = of.length
    const size = one instanceof AsyncResult ? 1 : one[leavesOf]().length
    for (let i = 0; i < size; i++) of.push({ index, first })
    if (size === 0) empty.push(index)
    left.push(size)
  }
  return { of, left, values: [], empty }
}

/** The values of tasks in order as the value of a member: nested as its groups are. */
function assemble(member: AsyncResult | GroupResult, values: readonly unknown[]): unknown {
  let next = 0
  const valueOf = (one: Member): unknown =>
    one instanceof AsyncResult ? values[next++] : one.results.map(valueOf)
  return valueOf(member)
}
