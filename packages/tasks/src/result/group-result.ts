/** The handle of several tasks that run side by side. */
import { idOf, type ResultTree } from '../canvas/result-tree.ts'
import { AsyncResult } from './async-result.ts'
import { EagerResult } from './eager-result.ts'
import type { ResultHandle } from './handle.ts'
import { ResultSet } from './result-set.ts'
import type { ResultReader } from './wait.ts'

/** A member: a task, or a group inside the group. */
export type Member = AsyncResult | GroupResult

export class GroupResult<R extends readonly unknown[] = readonly unknown[]>
  extends ResultSet<R>
  implements ResultHandle
{
  readonly id: string
  readonly #reader: ResultReader
  readonly #parent: ResultTree | null

  constructor(tree: ResultTree, reader: ResultReader) {
    super((tree[1] ?? []).map((member) => resultOf(member, reader)))
    this.id = idOf(tree)
    this.#parent = tree[0][1]
    this.#reader = reader
  }

  get tree(): ResultTree {
    return [[this.id, this.#parent], this.results.map(({ tree }) => tree)]
  }

  /** What came before it in its workflow. */
  get parent(): Member | undefined {
    return this.#parent ? this.#reader.handleOf(this.#parent) : undefined
  }

  /** Its members, as in the tree of what a task has sent. */
  get children(): readonly Member[] {
    return this.results
  }

  /** Removes the results of its members, and the saved handle. */
  override async forget(): Promise<void> {
    await super.forget()
    if (!this.isEager) await this.delete()
  }

  /** Keeps the handle in the backend, to be had again by its id. */
  async save(): Promise<void> {
    await (await this.#reader.backend()).storeGroup(this.id, this.tree)
  }

  /** Removes the saved handle; the results stay. */
  async delete(): Promise<void> {
    await (await this.#reader.backend()).forgetGroup(this.id)
  }

  /** A saved group; undefined when there is none of this id. */
  static async restore(id: string, reader: ResultReader): Promise<GroupResult | undefined> {
    const tree = await (await reader.backend()).readGroup(id)
    return tree && new GroupResult(tree, reader)
  }

  /** `[[id, parent], members]`, as Celery writes it. */
  asTuple(): ResultTree {
    return this.tree
  }

  /** The same group with the same members, or its id. */
  override equals(other: unknown): boolean {
    if (!(other instanceof GroupResult)) return other === this.id
    return other.id === this.id && super.equals(other)
  }

  override toString(): string {
    return this.id
  }

  toJSON(): ResultTree {
    return this.tree
  }
}

/** The handle a tree stands for. */
export function resultOf(tree: ResultTree, reader: ResultReader): Member {
  if (tree[1] !== null) return new GroupResult(tree, reader)
  return reader.isOver ? new EagerResult(tree, reader) : new AsyncResult(tree, reader)
}
