/** AMQP's basic properties in this language's words. Units are in the names. */

export interface Properties {
  readonly contentType?: string
  readonly contentEncoding?: string
  /** 1 transient, 2 persistent. */
  readonly deliveryMode?: 1 | 2
  readonly priority?: number
  readonly correlationId?: string
  readonly replyTo?: string
  /** How long the broker may keep the message; on the wire a decimal text of milliseconds. */
  readonly expirationMs?: number
  readonly messageId?: string
  /** Seconds since the epoch, as AMQP has it. */
  readonly timestamp?: number
  readonly type?: string
  readonly userId?: string
  readonly appId?: string
  readonly clusterId?: string
  /** Properties AMQP does not know; only brokers with a JSON envelope carry them. */
  readonly extra?: Readonly<Record<string, unknown>>
}
