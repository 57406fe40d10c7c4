/** The handle of several tasks that run side by side. */
import { idOf, type ResultTree } from '../canvas/result-tree.ts'
import { AsyncResult, type GetOptions } from './async-result.ts'
import type { ResultHandle } from './handle.ts'
import type { ResultReader } from './wait.ts'

/** A member: a task, or a group inside the group. */
export type Member = AsyncResult | GroupResult

export class GroupResult<
  R extends readonly unknown[] = readonly unknown[],
> implements ResultHandle {
  readonly id: string
  readonly tree: ResultTree
  readonly results: readonly Member[]
  readonly #reader: ResultReader

  constructor(tree: ResultTree, reader: ResultReader) {
    this.tree = tree
    this.id = idOf(tree)
    this.#reader = reader
    this.results = (tree[1] ?? []).map((member) => resultOf(member, reader))
  }

  /** What came before it in its workflow. */
  get parent(): ResultHandle | undefined {
    const [[, parent]] = this.tree
    return parent ? resultOf(parent, this.#reader) : undefined
  }

  /** All results in order. Throws the first error that any of them throws, unless told otherwise. */
  async get(options: GetOptions = {}): Promise<R> {
    return (await Promise.all(this.results.map((result) => result.get(options)))) as unknown as R
  }

  /** Celery's name for `get`. */
  join(options: GetOptions = {}): Promise<R> {
    return this.get(options)
  }

  /** Results as they come, each with its place. */
  async *iterate(options: GetOptions = {}): AsyncGenerator<{ index: number; value: unknown }> {
    const waiting = new Map(
      this.results.map((result, index) => [
        index,
        result.get(options).then(
          (value: unknown) => ({ index, value, error: undefined as unknown, failed: false }),
          (error: unknown) => ({ index, value: undefined, error, failed: true }),
        ),
      ]),
    )
    while (waiting.size > 0) {
      const { index, value, error, failed } = await Promise.race(waiting.values())
      waiting.delete(index)
      if (failed) throw error
      yield { index, value }
    }
  }

  async ready(): Promise<boolean> {
    return (await Promise.all(this.results.map((result) => result.ready()))).every(Boolean)
  }

  async successful(): Promise<boolean> {
    return (await Promise.all(this.results.map((result) => result.successful()))).every(Boolean)
  }

  /** True when any member failed. */
  async failed(): Promise<boolean> {
    return (await Promise.all(this.results.map((result) => result.failed()))).some(Boolean)
  }

  /** Members that have succeeded. */
  async completedCount(): Promise<number> {
    const done = await Promise.all(
      this.results.map(async (result) =>
        result instanceof GroupResult
          ? await result.completedCount()
          : Number(await result.successful()),
      ),
    )
    return done.reduce((sum, count) => sum + count, 0)
  }

  async forget(): Promise<void> {
    await Promise.all(this.results.map((result) => result.forget()))
    await (await this.#reader.backend()).forgetGroup(this.id)
  }

  /** Keeps the handle in the backend, to be had again by its id. */
  async save(): Promise<void> {
    await (await this.#reader.backend()).storeGroup(this.id, this.tree)
  }

  /** A saved group; undefined when there is none of this id. */
  static async restore(id: string, reader: ResultReader): Promise<GroupResult | undefined> {
    const tree = await (await reader.backend()).readGroup(id)
    return tree && new GroupResult(tree, reader)
  }
}

/** The handle a tree stands for. */
export function resultOf(tree: ResultTree, reader: ResultReader): Member {
  return tree[1] === null ? new AsyncResult(tree, reader) : new GroupResult(tree, reader)
}
