/** Temporary: simple types of a task, until the checked ones of the canvas. */
import type { TaskContext } from '../execution/context.ts'
import type { AsyncResult } from '../result/async-result.ts'
import type { SendOptions } from './app.ts'
import type { AppliedSignature } from './applied-signature.ts'

export type AnyFunction = (this: TaskContext, ...args: never) => unknown

export interface TaskOf<Name extends string, F extends AnyFunction> {
  (...args: Parameters<F>): ReturnType<F>
  readonly name: Name
  delay(...args: Parameters<F>): Promise<AsyncResult<Awaited<ReturnType<F>>>>
  applyAsync(
    args: Parameters<F>,
    options?: SendOptions,
  ): Promise<AsyncResult<Awaited<ReturnType<F>>>>
  s(...args: unknown[]): AppliedSignature
  si(...args: unknown[]): AppliedSignature
}
export type RemoteOf<F extends AnyFunction> = Omit<TaskOf<string, F>, never>
