/**
 * Publisher confirms and returned messages ↔ one promise for each batch: everything of a batch is written
 * in one turn, and the promise settles when the broker has answered for all of it.
 */
import type { ConfirmChannel, Message as Returned } from 'amqplib/callback_api'
import { isDeepStrictEqual } from 'node:util'
import { MessagingError } from '../../kernel/errors.ts'
import type { Publication, PublishFailures } from '../../transport/channel.ts'
import { blame, encodeError, headersTooLarge, messageLimit, tooLarge } from './faults.ts'
import { fromTable, headerSize, toBuffer, toOptions, toTable } from './values.ts'
import { send } from './wire.ts'

/** What the broker takes; one object for a link, which learns. */
export interface Limits {
  /** Longest body, once it is known. */
  bodyBytes: number
  /** Longest frame for the headers, where it is shorter than what the encoder writes at all. */
  readonly headerBytes: number
}

interface Batch {
  readonly publications: readonly Publication[]
  left: number
  /** 1 at the place of everything the broker has answered for. */
  readonly answered: Uint8Array
  failures: Map<number, MessagingError> | undefined
  readonly resolve: (failures: PublishFailures) => void
  readonly reject: (reason: MessagingError) => void
}

/** A mandatory publication the broker has not answered for yet. */
interface Mandatory {
  readonly publication: Publication
  readonly batch: Batch
  readonly index: number
}

export class Publisher {
  readonly #channel: ConfirmChannel
  readonly #limits: Limits
  readonly #batches = new Set<Batch>()
  /** By exchange and routing key, in the order of publishing. */
  readonly #mandatory = new Map<string, Set<Mandatory>>()
  #idle: (() => void) | undefined

  constructor(channel: ConfirmChannel, limits: Limits) {
    this.#channel = channel
    this.#limits = limits
    channel.on('return', (returned: Returned) => this.#onReturn(returned))
  }

  /** Batches the broker has not answered for. */
  get pending(): number {
    return this.#batches.size
  }

  publish(publications: readonly Publication[]): Promise<PublishFailures> {
    return new Promise((resolve, reject) => {
      const left = publications.length
      const answered = new Uint8Array(left)
      const batch: Batch = { publications, left, answered, failures: undefined, resolve, reject }
      this.#batches.add(batch)
      for (let i = 0; i < publications.length; i++) this.#write(batch, publications[i]!, i)
      if (publications.length === 0) this.#finish(batch)
    })
  }

  /** Nothing is known of what was not confirmed by now: what was, is not to be sent again. */
  fail(reason: MessagingError): void {
    this.#limits.bodyBytes = Math.min(this.#limits.bodyBytes, messageLimit(reason) ?? Infinity)
    const guilty = blame(reason)
    const batches = [...this.#batches]
    this.#batches.clear()
    this.#mandatory.clear()
    for (const batch of batches) this.#fail(batch, reason, guilty)
    this.#idle?.()
  }

  /** Resolves when the broker has answered for everything. */
  async idle(): Promise<void> {
    if (this.#batches.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
  }

  #write(batch: Batch, publication: Publication, index: number): void {
    const { exchange, routingKey, message, mandatory = false } = publication
    const expected = mandatory ? this.#expect({ publication, batch, index }) : undefined
    try {
      const options = toOptions(message, mandatory)
      const body = toBuffer(message.body)
      const { bodyBytes, headerBytes } = this.#limits
      if (body.length > bodyBytes) throw tooLarge(body.length, bodyBytes)
      if (headerBytes < Infinity && headerSize(options) > headerBytes)
        throw headersTooLarge(headerBytes)
      send(this.#channel, exchange, routingKey, body, options, (error) => {
        // Only a refusal is an answer; a channel that ends says so through `fail`.
        if (error !== null && error.message !== 'message nacked') return
        if (error !== null) this.#refuse(batch, index, nacked(error))
        if (expected) this.#forget(expected)
        batch.answered[index] = 1
        if (--batch.left === 0) this.#finish(batch)
      })
    } catch (error) {
      if (expected) this.#forget(expected)
      this.#refuse(batch, index, encodeError(error))
      batch.answered[index] = 1
      if (--batch.left === 0) this.#finish(batch)
    }
  }

  #refuse(batch: Batch, index: number, error: MessagingError): void {
    ;(batch.failures ??= new Map<number, MessagingError>()).set(index, error)
  }

  #fail(batch: Batch, reason: MessagingError, guilty: ReturnType<typeof blame>): void {
    if (!guilty && batch.left === batch.answered.length) return batch.reject(reason)
    for (const [i, answered] of batch.answered.entries())
      if (answered === 0) this.#refuse(batch, i, guilty?.(batch.publications[i]!) ?? reason)
    batch.resolve(batch.failures)
  }

  #finish(batch: Batch): void {
    this.#batches.delete(batch)
    batch.resolve(batch.failures)
    if (this.#batches.size === 0) this.#idle?.()
  }

  #expect(mandatory: Mandatory): Mandatory {
    const key = placeOf(mandatory.publication)
    const others = this.#mandatory.get(key)
    if (others) others.add(mandatory)
    else this.#mandatory.set(key, new Set([mandatory]))
    return mandatory
  }

  #forget(mandatory: Mandatory): void {
    const key = placeOf(mandatory.publication)
    const others = this.#mandatory.get(key)
    if (!others?.delete(mandatory) || others.size > 0) return
    this.#mandatory.delete(key)
  }

  /**
   * A return carries no number, but it comes before the confirm and in the order of publishing. Of several
   * candidates it is the first that looks the same; those that look the same are routed the same.
   */
  #onReturn(returned: Returned): void {
    const candidates = [...(this.#mandatory.get(placeOf(returned.fields)) ?? [])]
    const found =
      candidates.length > 1
        ? (candidates.find((one) => looksLike(one.publication, returned)) ?? candidates[0])
        : candidates[0]
    if (!found) return
    this.#forget(found)
    const { exchange, routingKey } = found.publication
    const error = new MessagingError(
      'MESSAGING_UNROUTABLE',
      'message',
      `no queue takes messages of exchange '${exchange}' with routing key '${routingKey}'`,
    )
    this.#refuse(found.batch, found.index, error)
  }
}

function placeOf({ exchange, routingKey }: { exchange: string; routingKey: string }): string {
  return `${exchange}\0${routingKey}`
}

function looksLike({ message }: Publication, { content, properties }: Returned): boolean {
  const { headers, properties: sent } = message
  if (sent.messageId !== properties.messageId || sent.correlationId !== properties.correlationId)
    return false
  if (!content.equals(message.body)) return false
  const back = JSON.stringify(fromTable(properties.headers ?? {}))
  return isDeepStrictEqual(
    JSON.parse(back),
    JSON.parse(JSON.stringify(fromTable(toTable(headers)))),
  )
}

function nacked(cause: Error): MessagingError {
  return new MessagingError(
    'MESSAGING_PUBLISH_REFUSED',
    'message',
    'the broker refused this message: the queue is full, or it could not be stored',
    { cause },
  )
}
