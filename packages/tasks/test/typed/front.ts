/**
 * A front end that exists in types only, put together from canvas/types.ts as the app does it: what the
 * files beside this one check is what a user gets to see.
 */
import type {
  AnySignature,
  ChainLead,
  ChainResult,
  Follow,
  GroupLead,
  GroupResults,
  Handler,
  HasOneLength,
  HeaderLead,
  HeaderResults,
  Keywords,
  KeywordsOf,
  Lead,
  Missing,
  NameOf,
  OnlyKnown,
  OutcomeOf,
  PipeResult,
  PositionalOf,
  ResultOf,
  Steps,
  Tails,
  TypedSignature,
} from '../../src/canvas/types.ts'

/** Compiles only where both are the same type. */
export declare function same<A, B>(
  ..._: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [never]
): void

export interface Context {
  readonly id: string
  retry(options?: { countdown?: number }): Error
}

export interface Result<R> {
  readonly id: string
  get(): Promise<R>
}

export interface Sig<
  Name extends string,
  In,
  Out,
  Immutable extends boolean = false,
> extends TypedSignature<Name, In, Out, Immutable> {
  delay(...missing: Missing<In>): Promise<Result<Out>>
  link<S extends AnySignature>(next: Follow<S, Out>): this
  pipe<S extends AnySignature>(
    next: Follow<S, Out>,
  ): Sig<`${Name}|${NameOf<S> & string}`, In, PipeResult<S>>
}

type List = readonly unknown[]

interface AnyTail<Name extends string, P extends List, R> {
  <const A extends Tails<P>>(...args: A): Sig<Name, Lead<P, A>, R>
}

/** With no optional parameter the whole call comes first: editors then show the names of parameters. */
interface Whole<Name extends string, P extends List, R> {
  (...all: P): Sig<Name, [], R>
}

interface TailAndKeywords<Name extends string, P extends List, K extends object, R> {
  <const A extends Tails<P>, G extends K>(
    ...args: readonly [...A, Keywords<G> & OnlyKnown<G, K>]
  ): Sig<Name, Lead<P, A>, R>
}

type S<Name extends string, P extends List, K, R> = (HasOneLength<P> extends true
  ? Whole<Name, P, R>
  : unknown) &
  AnyTail<Name, P, R> &
  ([K] extends [never] ? unknown : TailAndKeywords<Name, P, K & object, R>)

export interface Task<Name extends string, P extends List, K, R> {
  (...args: [K] extends [never] ? P : [...P, K]): Promise<R>
  readonly name: Name
  readonly s: S<Name, P, K, R>
  si(...args: P): Sig<Name, [], R, true>
  delay(...args: P): Promise<Result<R>>
  map(items: Iterable<P[0]>): Sig<'celery.map', [], R[], true>
  starmap(items: Iterable<P>): Sig<'celery.starmap', [], R[], true>
  chunks(items: Iterable<P>, size: number): Sig<'celery.chunks', [], R[][], true>
}

type Bound = (this: Context, ...args: never) => unknown

export declare function task<const Name extends string, F extends Bound>(
  name: Name,
  handler: F,
): Task<Name, PositionalOf<F>, KeywordsOf<F>, OutcomeOf<F>>

/** A task that lives elsewhere: only its type is known here. */
export declare function remote<F extends Handler>(): <const Name extends string>(
  name: Name,
) => Task<Name, PositionalOf<F>, KeywordsOf<F>, OutcomeOf<F>>

export declare function kw<K extends object>(keywords: K): Keywords<K>

export declare function chain<const S extends readonly [AnySignature, ...AnySignature[]]>(
  ...steps: Steps<S>
): Sig<'celery.chain', ChainLead<S>, ChainResult<S>>

export declare function group<const S extends readonly AnySignature[]>(
  ...members: S
): Sig<'celery.group', GroupLead<S>, GroupResults<S>>

export declare function groupOf<S extends AnySignature>(
  members: Iterable<S>,
): Sig<'celery.group', GroupLead<S[]>, GroupResults<S[]>>

export declare function chord<
  const H extends AnySignature | readonly AnySignature[],
  B extends AnySignature,
>(header: H, body: Follow<B, HeaderResults<H>>): Sig<'celery.chord', HeaderLead<H>, ResultOf<B>>
