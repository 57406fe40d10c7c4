/** The shape of a request to the broker: what it is for, and the amqplib call that makes it. */
import type { ConfirmChannel } from 'amqplib/callback_api'

export type Callback<T> = (error: Error | null, result: T) => void

/**
 * Makes one request and resolves with its answer. Rejects with a typed error named after `what`; a refusal
 * has ended the channel.
 */
export type Call = <T>(
  what: string,
  run: (channel: ConfirmChannel, cb: Callback<T>) => void,
) => Promise<T>
