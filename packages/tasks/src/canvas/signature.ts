/**
 * What to run, as plain data: a call, or signatures inside signatures. Typed front ends (`task.s()`,
 * `chain()`) build these values; plan.ts turns them into messages; wire.ts into what travels.
 */
import { TasksError } from '../kernel/errors.ts'

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
  /** The broker gives back what no queue takes, and the send rejects. */
  readonly mandatory?: boolean
  /** False: a publish that the link breaks under is not repeated. */
  readonly retry?: boolean
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

export interface SignatureParts {
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly options?: SignatureOptions
}

const nothing: readonly unknown[] = Object.freeze([])
const noNames: Readonly<Record<string, unknown>> = Object.freeze({})
export const noOptions: SignatureOptions = Object.freeze({})

/** A call of a task by name. */
export function call(task: string, parts: SignatureParts = {}, immutable = false): Call {
  const { args = nothing, kwargs = noNames, options = noOptions } = parts
  return { kind: 'call', task, args, kwargs, options, immutable, subtaskType: null }
}

/** Arguments that come later go in front, as results do in a chain; an immutable signature takes none. */
export function mergeArgs(
  signature: { readonly args: readonly unknown[]; readonly immutable: boolean },
  args: readonly unknown[] | undefined,
): readonly unknown[] {
  if (signature.immutable || args === undefined || args.length === 0) return signature.args
  return signature.args.length === 0 ? args : [...args, ...signature.args]
}

/**
 * A copy with more arguments (in front), keyword arguments (laid over) and options (laid over; links and
 * lists are replaced). Keyword arguments of a workflow go where its arguments will go: to the first step
 * of a chain, to every member of a group or of a chord's header.
 */
export function clone<S extends Signature>(signature: S, parts: SignatureParts): S
export function clone(signature: Signature, parts: SignatureParts): Signature {
  const args = mergeArgs(signature, parts.args)
  const options = mergeOptions(signature.options, parts.options)
  const { kwargs } = parts
  if (kwargs === undefined || signature.immutable || Object.keys(kwargs).length === 0) {
    return { ...signature, args, options }
  }
  const withKwargs = (member: Signature): Signature => clone(member, { kwargs })
  switch (signature.kind) {
    case 'call':
      return { ...signature, args, options, kwargs: { ...signature.kwargs, ...kwargs } }
    case 'chain': {
      const [first, ...rest] = signature.steps
      return { ...signature, args, options, steps: first ? [withKwargs(first), ...rest] : [] }
    }
    case 'group':
      return { ...signature, args, options, members: signature.members.map(withKwargs) }
    case 'chord':
      return { ...signature, args, options, header: signature.header.map(withKwargs) }
  }
}

/** `signature.set(…)`: a copy with options laid over its own. */
export function withOptions<S extends Signature>(signature: S, options: SignatureOptions): S {
  return clone(signature, { options })
}

/**
 * A copy that takes (or takes again) no arguments from before it. For a group this says so of every
 * member, for a chord of its header.
 */
export function withImmutable<S extends Signature>(signature: S, immutable?: boolean): S
export function withImmutable(signature: Signature, immutable = true): Signature {
  const same = (member: Signature): Signature => withImmutable(member, immutable)
  switch (signature.kind) {
    case 'call':
    case 'chain':
      return { ...signature, immutable }
    case 'group':
      return { ...signature, immutable, members: signature.members.map(same) }
    case 'chord':
      return { ...signature, immutable, header: signature.header.map(same) }
  }
}

/** `over` laid over `own`; own headers and unknown options are merged name by name. */
export function mergeOptions<O extends DeliveryOptions>(own: O, over: O | undefined): O {
  if (over === undefined || over === noOptions) return own
  const headers = own.headers && over.headers && { ...own.headers, ...over.headers }
  const extra = own.extra && over.extra && { ...own.extra, ...over.extra }
  return { ...own, ...over, ...(headers && { headers }), ...(extra && { extra }) }
}

/** Options that say where a signature stands in a workflow; they are never handed down to its parts. */
const placement: ReadonlySet<string> = new Set<
  Exclude<keyof SignatureOptions, keyof DeliveryOptions>
>([
  ...(['taskId', 'groupId', 'groupIndex', 'rootId', 'parentId', 'replyTo', 'retries'] as const),
  ...(['replacedTaskNesting', 'link', 'linkError', 'chain', 'chord', 'stampedHeaders'] as const),
])

/** What of the options is about the message itself. Stamps are left out. */
export function deliveryOf(options: SignatureOptions): DeliveryOptions {
  if (options === noOptions) return noOptions
  let delivery: Record<string, unknown> | undefined
  for (const [name, value] of Object.entries(options)) {
    if (!placement.has(name)) (delivery ??= {})[name] = value
  }
  if (delivery === undefined) return noOptions
  const { stampedHeaders, extra } = options
  if (stampedHeaders !== undefined && extra !== undefined) {
    const rest = Object.entries(extra).filter(([name]) => !stampedHeaders.includes(name))
    if (rest.length > 0) delivery['extra'] = Object.fromEntries(rest)
    else delete delivery['extra']
  }
  return delivery
}

/** Values of the stamps, by name; undefined when there are none. */
export function stampsOf(options: SignatureOptions): Readonly<Record<string, unknown>> | undefined {
  const { stampedHeaders, extra } = options
  if (stampedHeaders === undefined) return undefined
  const stamps: Record<string, unknown> = {}
  for (const name of stampedHeaders) {
    if (extra !== undefined && Object.hasOwn(extra, name)) stamps[name] = extra[name]
  }
  return stamps
}

/** Marks objects that stand for a signature and keep it in `data`, across copies of this package. */
export const signatureBrand = Symbol.for('celeriac.signature')

/** The data of a signature somebody gave; throws `TASKS_SIGNATURE_INVALID` for what is none. */
export function dataOf(given: unknown): Signature {
  if (typeof given === 'object' && given !== null && signatureBrand in given)
    return (given as unknown as { readonly data: Signature }).data
  throw new TasksError(
    'TASKS_SIGNATURE_INVALID',
    `expected a signature, such as task.s(…), found ${given === null ? 'null' : typeof given}`,
  )
}
