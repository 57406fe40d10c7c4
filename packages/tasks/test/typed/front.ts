/** The front the type tests check: the app's own, so that what they prove is what a user gets. */
import { Celeriac } from '../../src/index.ts'

export const app = new Celeriac('typed')

export const task: Celeriac['task'] = app.task.bind(app) as Celeriac['task']
export const remote: Celeriac['remote'] = app.remote.bind(app) as Celeriac['remote']

/** Compiles only where both are the same type. */
export declare function same<A, B>(
  ..._: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [never]
): void

interface Delayed {
  delay(...args: never): Promise<unknown>
}

/** What sending resolves with. */
export type Sent<S extends Delayed> = Awaited<ReturnType<S['delay']>>

/** What the result is in the end. */
export type Given<S extends Delayed> =
  Sent<S> extends { get(...args: never): Promise<infer R> } ? R : never
