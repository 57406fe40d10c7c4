/**
 * Deliveries on their way to the consumers of one channel: what arrived together is handed over together,
 * and never more than the window allows.
 */
import type { GetMessage, ConsumeMessage } from 'amqplib/callback_api'
import { attemptsHeader } from '../../virtual/envelope.ts'
import { Delivery, type Settle } from '../../message/delivery.ts'
import type { OnDeliveries } from '../../transport/channel.ts'
import { delayedOrigin } from './delay-ladder.ts'
import { toMessage } from './values.ts'

export interface Consumer {
  readonly tag: string
  /** The tag the broker knows, which changes with each subscription. Written by Consumers. */
  wireTag: string
  readonly queue: string
  readonly noAck: boolean
  readonly exclusive: boolean
  readonly args: object
  readonly onDeliveries: OnDeliveries
}

interface Arrived {
  readonly consumer: Consumer
  readonly message: ConsumeMessage
}

export class Inbox {
  readonly #settle: Settle
  /** How many more may be handed over; the broker's own window unless the channel keeps it itself. */
  readonly #room: () => number
  readonly #onFault: (error: unknown) => void
  #arrived: Arrived[] = []
  #scheduled = false

  constructor(settle: Settle, room: () => number, onFault: (error: unknown) => void) {
    this.#settle = settle
    this.#room = room
    this.#onFault = onFault
  }

  /** Arrived, needs to be settled, and not handed over. */
  get waiting(): number {
    let count = 0
    for (const { consumer } of this.#arrived) if (!consumer.noAck) count++
    return count
  }

  add(consumer: Consumer, message: ConsumeMessage): void {
    this.#arrived.push({ consumer, message })
    if (this.#scheduled) return
    this.#scheduled = true
    // After the frames of this read: amqplib emits them one by one, in one go.
    queueMicrotask(() => this.handOver())
  }

  /** Hands over what there is room for. */
  handOver(): void {
    this.#scheduled = false
    if (this.#arrived.length === 0) return
    let room = this.#room()
    const held: Arrived[] = []
    const batches = new Map<Consumer, Delivery[]>()
    for (const one of this.#arrived) {
      const { consumer, message } = one
      if (!consumer.noAck && --room < 0) {
        held.push(one)
        continue
      }
      const delivery = this.deliver(message, consumer.tag, consumer.queue, consumer.noAck)
      const batch = batches.get(consumer)
      if (batch) batch.push(delivery)
      else batches.set(consumer, [delivery])
    }
    this.#arrived = held
    for (const [consumer, deliveries] of batches) {
      try {
        consumer.onDeliveries(deliveries)
      } catch (error) {
        this.#onFault(error)
      }
    }
  }

  /** Forgets what was not handed over, of one consumer or of all; these tags are still out. */
  discard(consumer?: Consumer): number[] {
    const gone = this.#arrived.filter((one) => !consumer || one.consumer === consumer)
    this.#arrived = this.#arrived.filter((one) => consumer && one.consumer !== consumer)
    return gone
      .filter((one) => !one.consumer.noAck)
      .map(({ message }) => message.fields.deliveryTag)
  }

  /** Forgets what would have to be settled. */
  discardHeld(): void {
    this.#arrived = this.#arrived.filter((one) => one.consumer.noAck)
  }

  deliver(
    arrived: ConsumeMessage | GetMessage,
    consumerTag: string,
    queue: string,
    noAck: boolean,
  ): Delivery {
    const { deliveryTag, exchange, routingKey, redelivered } = arrived.fields
    const message = toMessage(arrived)
    const counted = message.headers[attemptsHeader]
    const attempts = typeof counted === 'number' ? counted : 0
    return new Delivery(
      message,
      {
        receipt: deliveryTag,
        consumerTag,
        queue,
        ...(delayedOrigin(exchange, routingKey) ?? { exchange, routingKey }),
        redelivered,
        // Classic queues do not count; that it was out before is all they tell.
        attempts: redelivered ? Math.max(attempts, 1) : attempts,
      },
      this.#settle,
      noAck,
    )
  }
}
