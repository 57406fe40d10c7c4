/**
 * The types users see on tasks and signatures, put together from canvas/types.ts. What cannot work does
 * not compile: arguments, partials, and every step of a workflow against the one before it.
 */
import type { SignatureOptions } from '../canvas/signature.ts'
import type { StampOptions, Stamps } from '../canvas/stamp.ts'
import type {
  AnySignature,
  Follow,
  HasOneLength,
  Keywords,
  KeywordsOf,
  Lead,
  Missing,
  NameOf,
  OnlyKnown,
  OutcomeOf,
  PipeResult,
  PositionalOf,
  Tails,
  TypedSignature,
} from '../canvas/types.ts'
import type { TaskContext } from '../execution/context.ts'
import type { Schema } from '../kernel/schema.ts'
import type { AsyncResult } from '../result/async-result.ts'
import type { GroupResult } from '../result/group-result.ts'
import type { Celeriac, SendOptions } from './app.ts'

type List = readonly unknown[]

/** A handler: any function whose `this`, if it has one, is the context. */
export type AnyFunction = (this: TaskContext, ...args: never) => unknown

/** What sending gives: a handle of one result, or of a group of them. */
export type HandleOf<Name extends string, Out> = Name extends 'celery.group' | 'celery.chunks'
  ? Out extends List
    ? GroupResult<Out>
    : never
  : AsyncResult<Out>

/**
 * A signature that can be sent. `In`: what it still wants in front; `Out`: what it gives; `Handle`: what
 * sending it resolves with.
 */
export interface SignatureOf<
  Name extends string,
  In,
  Out,
  Immutable extends boolean = false,
  Handle = HandleOf<Name, Out>,
> extends TypedSignature<Name, In, Out, Immutable> {
  /** Sends it; what is still missing of its arguments is asked for here. Resolves when confirmed. */
  delay(...missing: Missing<In>): Promise<Handle>
  /** Sends it with execution options. */
  applyAsync(missing: Missing<In>, options?: SendOptions): Promise<Handle>
  /** Runs it here and now, without a broker. */
  apply(missing: Missing<In>, options?: SendOptions & { readonly throw?: boolean }): Promise<Handle>
  /** A copy with these execution options over its own. */
  set(options: SignatureOptions): this
  /** A copy that runs `next` with its result. */
  link<S extends AnySignature>(next: Follow<S, Out>): this
  /** A copy that runs `next` when it fails, with the id of what failed. */
  linkError(next: AnySignature): this
  /** Celery's other name for `linkError`. */
  onError(next: AnySignature): this
  /** This, then that: Celery's `|`. */
  pipe<S extends AnySignature>(
    next: Follow<S, Out>,
  ): SignatureOf<`${Name}|${NameOf<S> & string}`, In, PipeResult<S>>
  /** A copy that carries these stamps with every message, and what a visitor adds. */
  stamp(stamps?: Stamps, options?: StampOptions): this
  /** As it travels. */
  toJSON(): object
}

interface AnyTail<Name extends string, P extends List, R> {
  <const A extends Tails<P>>(...args: A): SignatureOf<Name, Lead<P, A>, R>
}

/** With no optional parameter the whole call comes first: editors then show the names of parameters. */
interface Whole<Name extends string, P extends List, R> {
  (...all: P): SignatureOf<Name, [], R>
}

interface TailAndKeywords<Name extends string, P extends List, K extends object, R> {
  <const A extends Tails<P>, G extends K>(
    ...args: readonly [...A, Keywords<G> & OnlyKnown<G, K>]
  ): SignatureOf<Name, Lead<P, A>, R>
}

type SignatureMaker<Name extends string, P extends List, K, R> = (HasOneLength<P> extends true
  ? Whole<Name, P, R>
  : unknown) &
  AnyTail<Name, P, R> &
  ([K] extends [never] ? unknown : TailAndKeywords<Name, P, K & object, R>)

/** Arguments of a call: the positional ones, and keywords made by `kw()` where the task has some. */
type CallArguments<P extends List, K> = [K] extends [never] ? P : [...P, Keywords<K & object>] | P

/** Execution options of a call, and what follows it. */
export interface CallOptions extends SendOptions {
  readonly link?: AnySignature | readonly AnySignature[]
  readonly linkError?: AnySignature | readonly AnySignature[]
}

/** How a task is sent; the same for tasks of this app and for those that live elsewhere. */
export interface Sendable<Name extends string, P extends List, K, R> {
  readonly name: Name
  readonly app: Celeriac
  /** Sends a call; resolves when the broker has confirmed it. */
  delay(...args: CallArguments<P, K>): Promise<AsyncResult<R>>
  /** Sends a call with execution options. */
  applyAsync(args: CallArguments<P, K>, options?: CallOptions): Promise<AsyncResult<R>>
  /** Sends many calls in one batch, in order; resolves when all are confirmed. */
  applyAsyncMany(
    calls: Iterable<CallArguments<P, K>>,
    options?: CallOptions,
  ): Promise<AsyncResult<R>[]>
  /**
   * Runs a call here and now, without a broker: through the same writing, reading, retries and links as
   * everywhere else. What the task throws is in the result, or thrown when `throw` says so.
   */
  apply(
    args: CallArguments<P, K>,
    options?: CallOptions & { readonly throw?: boolean },
  ): Promise<AsyncResult<R>>
  /** A signature: the arguments given are the last ones, those before them come later. */
  readonly s: SignatureMaker<Name, P, K, R>
  /** An immutable signature: it takes no result of the step before it. */
  si(...args: CallArguments<P, K>): SignatureOf<Name, [], R, true>
  /** A whole signature from a list, with execution options. */
  signature(args: CallArguments<P, K>, options?: SignatureOptions): SignatureOf<Name, [], R>
  /** One message that calls the task for each item in turn. */
  map(items: Iterable<P[0]>): SignatureOf<'celery.map', [], R[], true>
  /** Like `map`, each item being the arguments of a call. */
  starmap(items: Iterable<P>): SignatureOf<'celery.starmap', [], R[], true>
  /** `starmap` in messages of `size` calls each. */
  chunks(items: Iterable<P>, size: number): SignatureOf<'celery.chunks', [], R[][], true>
}

/** A task of this app: sendable, and callable like the function it was made from. */
export interface Task<Name extends string, F extends AnyFunction> extends Sendable<
  Name,
  PositionalOf<F>,
  KeywordsOf<F>,
  OutcomeOf<F>
> {
  (...args: Parameters<F>): ReturnType<F>
}

export type RemoteOf<F extends AnyFunction> = Sendable<
  string,
  PositionalOf<F>,
  KeywordsOf<F>,
  OutcomeOf<F>
>

/** A schema for a list of arguments. */
export type ArgumentsSchema = Schema<unknown, readonly unknown[]>

/** What callers give. */
export type TakenArguments<A> =
  A extends Schema<infer Input, unknown> ? (Input extends List ? [...Input] : never) : never

/** What the function gets. */
export type MadeArguments<A> =
  A extends Schema<unknown, infer Output> ? (Output extends List ? [...Output] : never) : never

/** A signature of which only the name is known: any arguments, any result. */
export type AnySent = SignatureOf<string, unknown[], unknown, boolean, AsyncResult | GroupResult>
