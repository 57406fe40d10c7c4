/** Where a message came from; plain data. */
export interface DeliveryInfo {
  readonly exchange: string
  readonly routingKey: string
  readonly queue: string
  readonly redelivered: boolean
  /** Earlier deliveries of this message whose worker died with it. */
  readonly attempts: number
  /** It never was with a broker: the task runs in the caller. */
  readonly isEager?: boolean
}
