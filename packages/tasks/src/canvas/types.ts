/**
 * Checking workflows at compile time: which arguments a partial call still wants, whether a step takes the
 * result of the one before it, what a whole workflow gives. Types only; app/ puts them on its functions.
 *
 * A task takes positional parameters P and perhaps keywords K, and gives R. A signature of it still wants
 * `In` (a union of the argument lists that may be put in front) and gives `Out`.
 */

/** Symbols that exist in types only. */
export declare const keywords: unique symbol
export declare const lead: unique symbol
export declare const result: unique symbol

/** Marks the last parameter of a handler as Celery's keyword arguments. */
export type Kw<K extends object> = K & { readonly [keywords]?: K }

/** Keyword arguments in a call, made by `kw()`. */
export type Keywords<K> = K & { readonly [keywords]: K }

/** Any handler. Parameters are `never` because `any` would turn unannotated defaults into `any`. */
export type Handler = (this: never, ...args: never) => unknown

/** Positional parameters of a handler, without its keywords. */
export type PositionalOf<F extends Handler> =
  EndsInKeywords<Parameters<F>> extends true ? WithoutLast<Parameters<F>> : Parameters<F>

/** Keywords of a handler, with undefined where they may be left out; never when it has none. */
export type KeywordsOf<F extends Handler> =
  EndsInKeywords<Parameters<F>> extends true
    ? | MarkedIn<LastOf<Parameters<F>>>
      | (Parameters<F> extends readonly [...unknown[], infer _] ? never : undefined)
    : never

type MarkedIn<L> = L extends { readonly [keywords]?: infer K } ? Exclude<K, undefined> : never

/** What a handler gives in the end, as it arrives. */
export type OutcomeOf<F extends Handler> = Arrived<Awaited<ReturnType<F>>>

/** A result as it arrives: what was undefined is null then. `void` stays, for nobody looks at it. */
export type Arrived<R> = undefined extends R
  ? [void] extends [R]
    ? R
    : Exclude<R, undefined> | null
  : R

type List = readonly unknown[]
type LastOf<P extends List> = Required<P> extends readonly [...unknown[], infer L] ? L : never

// A property that is looked up by `keyof`, because every object would match an optional one.
type EndsInKeywords<P extends List, L = LastOf<P>> = [L] extends [never]
  ? false
  : 0 extends 1 & L
    ? false
    : [L] extends [{ readonly [keywords]?: object }]
      ? typeof keywords extends keyof L
        ? true
        : false
      : false

type WithoutLast<P extends List, All extends List = P> = number extends P['length']
  ? All
  : P extends readonly [_?: unknown]
    ? All extends readonly [...infer Before, ...P]
      ? Before
      : never
    : P extends readonly [_?: unknown, ...infer Rest]
      ? WithoutLast<Rest, All>
      : []

/** Every tail of a parameter list: what `.s()` may be given, for later arguments go in front. */
export type Tails<P extends List> = number extends P['length']
  ? P
  : | P
    | (P extends readonly []
        ? never
        : P extends readonly [_?: unknown, ...infer T]
          ? Tails<T>
          : never)

/** Every list that makes a legal call of P when it is put in front of A. */
export type Lead<P extends List, A extends List> = A extends readonly [] ? P : LeadOn<P, A>

type LeadOn<P extends List, A extends List, All extends List = P> = number extends P['length']
  ? All
  : | (A extends P ? (All extends readonly [...infer Before, ...P] ? Before : never) : never)
    | (P extends readonly []
        ? never
        : P extends readonly [_?: unknown, ...infer T]
          ? LeadOn<T, A, All>
          : never)

/** Every legal number of arguments of P as a list of its own, so that something can follow them. */
export type Counts<P extends List, Done extends List = []> = number extends P['length']
  ? P
  : P extends readonly [infer First, ...infer Rest]
    ? Counts<Rest, [...Done, First]>
    : P extends readonly [(infer First)?, ...infer Rest]
      ? P extends readonly []
        ? Done
        : Done | Counts<Rest, [...Done, First]>
      : Done

/** The one argument of a call of P, where one is enough. */
export type OnlyArgument<P extends List> = [P[0]] extends P
  ? P[0]
  : WrongCount<{ 'arguments of a call': P; given: 1 }>

/** What the compiler shows for a task that cannot be called with one argument. */
export interface WrongCount<Info> {
  readonly '✗ the task is called with one argument for each item': Info
}

/** What may be given of a signature that wants In, for later arguments go in front. */
export type LeadTails<In> = In extends List ? Tails<In> : never

/** What it wants after A was given. */
export type LeadBefore<In, A extends List> = In extends List ? Lead<In, A> : never

/** What every typed signature carries; the app's signatures extend it by what can be done with them. */
export interface TypedSignature<Name extends string, In, Out, Immutable extends boolean = false> {
  readonly name: Name
  readonly immutable: Immutable
  readonly [lead]: (lead: In) => void
  readonly [result]: () => Out
}

/** Any typed signature, to be named as a constraint. */
export interface AnySignature {
  readonly name: string
  readonly immutable: boolean
  // `never`, so that signatures wanting different things are all of this type.
  readonly [lead]: (lead: never) => void
  readonly [result]: () => unknown
}

/** A signature that wants nothing any more. */
export interface WholeSignature extends AnySignature {
  readonly [lead]: (lead: []) => void
}

/** A signature that can be called with what gave R. */
export type Callback<R> = TakesResult<R> | (WholeSignature & { readonly immutable: true })

interface TakesResult<R> extends AnySignature {
  readonly [lead]: (lead: [R]) => void
}

export type ResultOf<S> = S extends { readonly [result]: () => infer R } ? R : never
export type LeadOf<S> = S extends { readonly [lead]: (lead: infer In) => void } ? In : never
export type NameOf<S> = S extends { readonly name: infer N } ? N : never

/** The arguments `delay()` of a signature asks for. */
export type Missing<In> = In extends List ? In : never

/** What the compiler shows when two steps do not fit. */
export interface StepMismatch<Task, Info> {
  readonly '✗ this step does not accept the result before it': readonly [Task, Info]
}

/** What the compiler shows for keywords the task does not have. */
export interface UnknownKeywords<Names> {
  readonly '✗ the task has no such keyword': Names
}

type Fits<S, R> = S extends { readonly immutable: true }
  ? [] extends LeadOf<S>
    ? true
    : false
  : [R] extends LeadOf<S>
    ? true
    : false

/** S where it can follow a step that gives R, else the message that says why not. */
export type Follow<S, R> =
  Fits<S, R> extends true
    ? S
    : StepMismatch<
        NameOf<S>,
        [R] extends [void]
          ? { hint: 'the step before gives nothing: use .si()'; expects: LeadOf<S> }
          : { expects: LeadOf<S>; given: R }
      >

/** S where it can be linked to a group, which hands it nothing, else the message that says why not. */
export type Unfed<S> =
  [] extends LeadOf<S>
    ? S
    : StepMismatch<
        NameOf<S>,
        { hint: 'what is linked to a group gets no result'; expects: LeadOf<S> }
      >

/** Groups, and chunks, which are sent as one. */
export type GroupLike = { readonly name: 'celery.group' | 'celery.chunks' }

/** A group of one at the end of a chain is that one, so the next step gets its result and no list. */
type Unrolled<S> = S extends GroupLike
  ? ResultOf<S> extends readonly [infer Only]
    ? Only
    : ResultOf<S>
  : ResultOf<S>

/** The steps of a chain, each checked against the one before it. For the parameters of `chain()`. */
export type Steps<S extends readonly AnySignature[]> = {
  [K in keyof S]: K extends '0' ? S[K] : Follow<S[K], Before<S, K>>
}

// With one element in front, the element at K is the one before K.
type Before<S extends List, K> = K extends '1'
  ? ResultOf<S[0]>
  : Unrolled<[never, ...S][K & keyof [never, ...S]]>

/** What a chain still wants. */
export type ChainLead<S extends readonly AnySignature[]> = LeadOf<S[0]>

/** What a chain gives. */
export type ChainResult<S extends readonly AnySignature[]> = S extends readonly [
  ...unknown[],
  infer Last,
]
  ? Unrolled<Last>
  : ResultOf<S[number]>

/** What `signature.pipe(next)` gives. */
export type PipeResult<S> = Unrolled<S>

/**
 * What a group still wants: what all of its members take. An intersection made without recursion, so that
 * groups of hundreds do not tire the compiler. Where the first member says it all, it is shown alone.
 */
export type GroupLead<S extends readonly AnySignature[]> =
  Intersected<S> extends infer I
    ? unknown extends I
      ? []
      : [LeadOf<S[0]>] extends [I]
        ? LeadOf<S[0]>
        : I
    : never

type Intersected<S extends readonly AnySignature[]> = {
  [K in keyof S]: (lead: Taken<S[K]>) => void
}[number] extends (lead: infer I) => void
  ? I
  : unknown

type Taken<S> = S extends { readonly immutable: true } ? unknown : LeadOf<S>

/** What a group gives: the results of its members in order; groups in it are flat, as they are sent. */
export type GroupResults<S extends readonly AnySignature[]> = [
  Extract<S[number], GroupLike>,
] extends [never]
  ? { -readonly [K in keyof S]: ResultOf<S[K]> }
  : Flat<S>

type Flat<S extends List> = number extends S['length']
  ? ElementOf<S[number]>[]
  : S extends readonly [infer First, ...infer Rest]
    ? First extends GroupLike
      ? [...(ResultOf<First> extends infer L extends List ? L : never), ...Flat<Rest>]
      : [ResultOf<First>, ...Flat<Rest>]
    : []

type ElementOf<S> = S extends GroupLike
  ? ResultOf<S> extends infer L extends List
    ? L[number]
    : never
  : ResultOf<S>

/** What the body of a chord receives of a header: a group, a list of members, or a single signature. */
export type HeaderResults<H> = H extends readonly AnySignature[]
  ? GroupResults<H>
  : H extends GroupLike
    ? ResultOf<H>
    : [ResultOf<H>]

/** What a header still wants. */
export type HeaderLead<H> = H extends readonly AnySignature[] ? GroupLead<H> : LeadOf<H>

/** True when P has one length only, so without optional and rest parameters. */
export type HasOneLength<P extends List, L = P['length']> = number extends L
  ? false
  : L extends P['length']
    ? [P['length']] extends [L]
      ? true
      : false
    : never

/** Refuses keywords that are not those of the task. */
export type OnlyKnown<Given, K> = [Exclude<keyof Given, keyof K | typeof keywords>] extends [never]
  ? unknown
  : UnknownKeywords<Exclude<keyof Given, keyof K | typeof keywords>>
