/** What the handle of one task and that of a group have in common. */

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
