/** What the handle of one task and that of a group have in common. */
import type { Leaf } from './follow.ts'

export interface ResultHandle {
  readonly id: string
  /** What came before it in its workflow: a task or a group. */
  readonly parent: ResultHandle | undefined
  get(options?: { readonly timeout?: number; readonly signal?: AbortSignal }): Promise<unknown>
  ready(): Promise<boolean>
  successful(): Promise<boolean>
  failed(): Promise<boolean>
  forget(): Promise<void>
}

/** Member by which sets of results reach what their members are made of; no part of the interface. */
export const leavesOf = Symbol('leaves')

export interface HasLeaves {
  /** The tasks it stands for, in order: itself, or those of a group. */
  [leavesOf](): readonly Leaf[]
}
