/**
 * What to run, as plain data: a call, or signatures inside signatures. Typed front ends (`task.s()`,
 * `chain()`) build these values; plan.ts turns them into messages; wire.ts into what travels.
 */

export type Signature = Call | Chain | Group | Chord

export interface Call {
  readonly kind: 'call'
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly options: SignatureOptions
  /** Takes no result of the step before it. */
  readonly immutable: boolean
  /** A mark on the wire that this program does not know; kept as it came. */
  readonly subtaskType: string | null
}

export interface Chain {
  readonly kind: 'chain'
  readonly steps: readonly Signature[]
  /** Partial arguments for the first step. */
  readonly args: readonly unknown[]
  readonly options: SignatureOptions
  readonly immutable: boolean
}

export interface Group {
  readonly kind: 'group'
  readonly members: readonly Signature[]
  readonly args: readonly unknown[]
  readonly options: SignatureOptions
  readonly immutable: boolean
}

export interface Chord {
  readonly kind: 'chord'
  /** Id of the header as a group, once it is fixed. */
  readonly headerId?: string
  readonly header: readonly Signature[]
  readonly body: Signature
  readonly args: readonly unknown[]
  readonly options: SignatureOptions
  readonly immutable: boolean
}

/** How one message is to be sent and run; `apply_async` options in this language's words. */
export interface DeliveryOptions {
  /** Seconds. */
  readonly countdown?: number
  /** ISO 8601 text or a date. */
  readonly eta?: Date | string
  /** Seconds from now, a date, or ISO 8601 text. */
  readonly expires?: number | Date | string
  readonly queue?: string
  readonly exchange?: string
  readonly routingKey?: string
  readonly priority?: number
  readonly serializer?: string
  readonly compression?: string
  readonly deliveryMode?: 1 | 2
  /** Seconds. */
  readonly timeLimit?: number
  /** Seconds. */
  readonly softTimeLimit?: number
  readonly ignoreResult?: boolean
  readonly shadow?: string
  readonly argsRepr?: string
  readonly kwargsRepr?: string
  readonly headers?: Readonly<Record<string, unknown>>
  /** Options this version does not know, by their wire names; sent as message properties. */
  readonly extra?: Readonly<Record<string, unknown>>
}

/** Options of a signature: those of its message, and its place in the workflow. */
export interface SignatureOptions extends DeliveryOptions {
  readonly taskId?: string
  readonly groupId?: string
  readonly groupIndex?: number
  readonly rootId?: string
  readonly parentId?: string
  readonly replyTo?: string
  readonly retries?: number
  readonly replacedTaskNesting?: number
  readonly link?: readonly Signature[]
  readonly linkError?: readonly Signature[]
  /** The rest of a chain, last step first, as a message carries it. */
  readonly chain?: readonly Signature[]
  /** The body of the chord this signature is a header member of. */
  readonly chord?: Signature
  /** Names of the stamps; their values are in `extra`. */
  readonly stampedHeaders?: readonly string[]
}
