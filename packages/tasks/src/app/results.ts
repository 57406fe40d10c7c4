/** Handles of results without an app in hand. */
import type { Member } from '../result/group-result.ts'
import type { Celeriac } from './app.ts'
import { currentApp } from './shared.ts'

/** The handle a tuple stands for, of the current app or of the one given: see `app.resultFromTuple`. */
export function resultFromTuple(tuple: unknown, app: Celeriac = currentApp()): Promise<Member> {
  return app.resultFromTuple(tuple)
}
