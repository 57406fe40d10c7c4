/** A task → the headers, body value and properties of its message (protocol 2). Hot path of every send. */
import type { Headers, Properties } from '@celeriac/messaging'
import type { Embed, OutgoingTask } from './task-message.ts'

/** Serializers write it as it is. */
export type TaskBody = readonly [
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  embed: Embed,
]

export interface EncodedTask {
  readonly headers: Headers
  readonly body: TaskBody
  /** Without content type and encoding, which belong to the serializer. */
  readonly properties: Properties
}

/** `nowMs` (epoch milliseconds) is what the message's expiration is counted from. Never throws. */
export function encodeTask(task: OutgoingTask, nowMs: number): EncodedTask {
  throw new Error('not written yet')
}
