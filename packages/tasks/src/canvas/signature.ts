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
  /** `xmap`, `xstarmap` and `chunks` are calls with a mark on the wire. */
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
  readonly header: readonly Signature[]
  readonly body: Signature
  readonly args: readonly unknown[]
  readonly options: SignatureOptions
  readonly immutable: boolean
}

/** `apply_async` options in this language's words; seconds as in Celery. */
export interface SignatureOptions {
  readonly taskId?: string
  readonly groupId?: string
  readonly groupIndex?: number
  readonly rootId?: string
  readonly parentId?: string
  readonly replyTo?: string
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
  readonly retries?: number
  readonly replacedTaskNesting?: number
  readonly headers?: Readonly<Record<string, unknown>>
  readonly link?: readonly Signature[]
  readonly linkError?: readonly Signature[]
  /** The rest of a chain, last step first, as a message carries it. */
  readonly chain?: readonly Signature[]
  /** The body of the chord this signature is a header member of. */
  readonly chord?: Signature
  readonly stampedHeaders?: readonly string[]
  /** Options this version does not know, by their wire names; kept as they came. */
  readonly extra?: Readonly<Record<string, unknown>>
}
