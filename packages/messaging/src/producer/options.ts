/** What one publish can be told, and how it becomes AMQP properties. */
import type { Headers } from '../message/message.ts'
import type { Properties } from '../message/properties.ts'
import type { Exchange } from '../topology/exchange.ts'
import type { Queue } from '../topology/queue.ts'

export interface PublishOptions {
  /** Default: the producer's, else the default exchange. */
  readonly exchange?: Exchange | string
  /** Default: the producer's, else empty. */
  readonly routingKey?: string
  /** Serializer by name; default the producer's, else json. */
  readonly serializer?: string
  /** The value is bytes or text that are written as they are, under this content type. */
  readonly contentType?: string
  /** With `contentType`; default `utf-8` for text, `binary` for bytes. */
  readonly contentEncoding?: string
  /** Compressor by name. */
  readonly compression?: string
  readonly headers?: Headers
  readonly priority?: number
  /** 1 or `transient`; 2 or `persistent`. Default: that of the exchange, else persistent. */
  readonly deliveryMode?: DeliveryMode
  /** Seconds the broker may keep the message. */
  readonly expiration?: number
  /**
   * Seconds before which nobody gets it, where the broker can hold what is published (`delayedPublish`);
   * refused with `MESSAGING_NOT_SUPPORTED` elsewhere. RabbitMQ rounds up to whole seconds, keeps no
   * expiration of such a message, and wants the type of its exchange to be known.
   */
  readonly delay?: number
  readonly correlationId?: string
  readonly replyTo?: string
  readonly messageId?: string
  /** Seconds since the epoch. */
  readonly timestamp?: number
  readonly type?: string
  readonly userId?: string
  readonly appId?: string
  /** Reject with `MESSAGING_UNROUTABLE` when no queue takes it. */
  readonly mandatory?: boolean
  /** Exchanges and queues to declare before, once for each link. */
  readonly declare?: readonly (Exchange | Queue)[]
  /** Seconds until the publish rejects; default the connection's. */
  readonly timeout?: number
  /**
   * Send again within the deadline what a broken link left in the dark, so that the broker may get it
   * twice. Default true. False: such a publish rejects at once, with `MESSAGING_CONNECTION_LOST`.
   */
  readonly retry?: boolean
}

export type DeliveryMode = 1 | 2 | 'transient' | 'persistent'

/** The number on the wire. */
export function deliveryModeOf(mode: DeliveryMode | undefined): 1 | 2 {
  return mode === 1 || mode === 'transient' ? 1 : 2
}

/** The properties of a message with this body. Kombu: seconds become a text of milliseconds. */
export function propertiesOf(
  options: PublishOptions,
  contentType: string,
  contentEncoding: string,
): Properties {
  const { priority, deliveryMode, expiration, correlationId, replyTo, messageId } = options
  const { timestamp, type, userId, appId } = options
  return {
    contentType,
    contentEncoding,
    deliveryMode: deliveryModeOf(deliveryMode),
    ...(priority !== undefined && { priority }),
    ...(expiration !== undefined && { expirationMs: Math.max(0, Math.round(expiration * 1000)) }),
    ...(correlationId !== undefined && { correlationId }),
    ...(replyTo !== undefined && { replyTo }),
    ...(messageId !== undefined && { messageId }),
    ...(timestamp !== undefined && { timestamp }),
    ...(type !== undefined && { type }),
    ...(userId !== undefined && { userId }),
    ...(appId !== undefined && { appId }),
  }
}
