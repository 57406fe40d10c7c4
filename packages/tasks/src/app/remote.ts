/** A task that is known here by name and type only: one written in Python, or in another service. */
import type { Celeriac } from './app.ts'
import { remoteFront, type TaskOptions } from './task.ts'
import type { AnyFunction, RemoteOf } from './typed.ts'

export type RemoteTask<F extends AnyFunction> = RemoteOf<F>

export function makeRemote<F extends AnyFunction>(
  app: Celeriac,
  name: string,
  options?: TaskOptions,
): RemoteTask<F> {
  return remoteFront(app, name, options) as RemoteTask<F>
}
