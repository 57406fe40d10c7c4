/**
 * Message → task. Headers alone tell what is to be done with a task (`decodeMeta`), the decoded body what
 * it is called with (`decodePayload`); old messages have everything in the body (`decodeProtocol1`).
 * Nothing here throws: a message that is no task says why, and is then parked.
 */
import type { Headers, Properties } from '@celeriac/messaging'
import type { TaskMeta, TaskPayload } from './task-message.ts'

export type MalformedReason =
  /** No `task` header; the body may still be protocol 1. */
  | 'no-task'
  | 'no-id'
  | 'bad-eta'
  | 'bad-expires'
  | 'bad-body'
  | 'bad-args'
  | 'bad-kwargs'
  | 'bad-embed'

export interface Malformed {
  readonly ok: false
  readonly reason: MalformedReason
  /** A sentence: what was expected and what was found. */
  readonly detail: string
}

export type MetaResult = { readonly ok: true; readonly meta: TaskMeta } | Malformed
export type PayloadResult = { readonly ok: true; readonly payload: TaskPayload } | Malformed
export type TaskResult =
  { readonly ok: true; readonly meta: TaskMeta; readonly payload: TaskPayload } | Malformed

/** Reads protocol 2 headers. `no-task` means: decode the body and try `decodeProtocol1`. */
export function decodeMeta(headers: Headers, properties: Properties): MetaResult {
  throw new Error('not written yet')
}

/** Reads the decoded body of a protocol 2 message: `[args, kwargs, embed]`. */
export function decodePayload(body: unknown): PayloadResult {
  throw new Error('not written yet')
}

/** Reads the decoded body of a message without a `task` header. */
export function decodeProtocol1(body: unknown, properties: Properties): TaskResult {
  throw new Error('not written yet')
}
