/**
 * The types users see on tasks and signatures, put together from canvas/types.ts. What cannot work does
 * not compile: arguments, partials, and every step of a workflow against the one before it.
 */
import type { SignatureOptions } from '../canvas/signature.ts'
import type { StampOptions, Stamps } from '../canvas/stamp.ts'
import type {
  AnySignature,
  Callback,
  Counts,
  Follow,
  GroupLike,
  HasOneLength,
  Keywords,
  KeywordsOf,
  Lead,
  LeadBefore,
  LeadTails,
  Missing,
  OnlyArgument,
  OnlyKnown,
  OutcomeOf,
  PipeResult,
  PositionalOf,
  ResultOf,
  Tails,
  TypedSignature,
  Unfed,
  WholeSignature,
} from '../canvas/types.ts'
import type { TaskContext } from '../execution/context.ts'
import type { Schema } from '../kernel/schema.ts'
import type { AsyncResult } from '../result/async-result.ts'
import type { GroupResult } from '../result/group-result.ts'
import type { Celeriac, SendOptions } from './app.ts'
import type { ErrbackOf, TakesFailure } from './errbacks.ts'
import type { TaskOptions } from './task-options.ts'
import type { TravelProblems } from './travels.ts'

type List = readonly unknown[]

/** A handler: any function whose `this`, if it has one, is the context. */
export type AnyFunction = (this: TaskContext, ...args: never) => unknown

/** What sending gives: a handle of one result, or of a group of them. */
export type HandleOf<Name extends string, Out> = Name extends GroupLike['name']
  ? Out extends List
    ? GroupResult<Out>
    : never
  : AsyncResult<Out>

/** What sending S resolves with. */
type HandleIn<S> = S extends { delay(...missing: never): Promise<infer Handle> }
  ? Handle
  : AsyncResult<ResultOf<S>>

/** The handle of a workflow that ends in S. A group of one at the end is that one. */
export type LastHandle<S> = S extends GroupLike
  ? ResultOf<S> extends readonly [infer Only]
    ? AsyncResult<Only>
    : HandleIn<S>
  : HandleIn<S>

/** The handle of a chain of these steps. */
export type ChainHandle<S extends List> = S extends readonly [...unknown[], infer Last]
  ? LastHandle<Last>
  : HandleIn<S[number]>

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
  applyAsync(missing: Readonly<Missing<In>>, options?: SendOptions): Promise<Handle>
  /** Runs it here and now, without a broker. */
  apply(
    missing: Readonly<Missing<In>>,
    options?: SendOptions & { readonly throw?: boolean },
  ): Promise<Handle>
  /** A copy with these execution options over its own. */
  set(options: SignatureOptions): this
  /** A copy with more arguments in front, and keywords and options over its own. */
  clone<const A extends LeadTails<In> | [] = []>(
    args?: A,
    kwargs?: Readonly<Record<string, unknown>>,
    options?: SignatureOptions,
  ): SignatureOf<Name, LeadBefore<In, A>, Out, Immutable, Handle>
  /** A copy that takes no result of the step before it. */
  asImmutable(this: WholeSignature): SignatureOf<Name, [], Out, true, Handle>
  /** A copy that runs `next` with its result; after a group `next` gets none. */
  link<S extends AnySignature>(
    next: Name extends GroupLike['name'] ? Unfed<S> : Follow<S, Out>,
  ): this
  /**
   * A copy that runs `next` when it fails: with the id of what failed in front or, where `next` wants more
   * than one argument, with (request, error, traceback).
   */
  linkError<S extends AnySignature>(next: ErrbackOf<S>): this
  /** Celery's other name for `linkError`. */
  onError<S extends AnySignature>(next: ErrbackOf<S>): this
  /** This, then that: Celery's `|`. */
  pipe<S extends AnySignature>(
    next: Follow<S, Out>,
  ): ChainSignature<In, PipeResult<S>, LastHandle<S>>
  /** A copy that carries these stamps with every message, and what a visitor adds. */
  stamp(stamps?: Stamps, options?: StampOptions): this
  /** As it travels. */
  toJSON(): object
}

// Names of their own for the kinds of signatures: what editors and messages show is short then.

/** A signature of a task. */
export interface TaskSignature<Name extends string, In, Out> extends SignatureOf<
  Name,
  In,
  Out,
  false,
  AsyncResult<Out>
> {}

/** A signature that takes no result of the step before it. */
export interface ImmutableSignature<Name extends string, Out> extends SignatureOf<
  Name,
  [],
  Out,
  true
> {}

/** One step after the other. */
export interface ChainSignature<In, Out, Handle = AsyncResult<Out>> extends SignatureOf<
  'celery.chain',
  In,
  Out,
  false,
  Handle
> {}

/** Side by side. */
export interface GroupSignature<In, Out extends List> extends SignatureOf<
  'celery.group',
  In,
  Out,
  false,
  GroupResult<Out>
> {
  /** A copy whose members start one after the other: countdowns from `start`, in seconds; default 1, up by 1. */
  skew(start?: number, stop?: number, step?: number): this
}

/** A group, and a body that gets the results. */
export interface ChordSignature<In, Out, Handle = AsyncResult<Out>> extends SignatureOf<
  'celery.chord',
  In,
  Out,
  false,
  Handle
> {}

/** A signature from any of the last arguments. */
export interface AnyTail<Name extends string, P extends List, R> {
  <const A extends Tails<P>>(...args: A): TaskSignature<Name, Lead<P, A>, R>
}

/** A signature from the last arguments A. */
export interface OneTail<Name extends string, A extends List, In, R> {
  (...args: A): TaskSignature<Name, In, R>
}

/**
 * With no optional parameter each number of arguments is a call of its own: editors show the names of the
 * parameters then, and messages speak of the one argument that is wrong.
 */
type EachTail<Name extends string, P extends List, R, A extends List = P> = OneTail<
  Name,
  A,
  P extends readonly [...infer Before, ...A] ? Before : never,
  R
> &
  (A extends readonly [unknown, ...infer Rest] ? EachTail<Name, P, R, Rest> : unknown)

/** A signature from any of the last arguments, and keywords. */
export interface TailAndKeywords<Name extends string, P extends List, K, R> {
  <const A extends Tails<P>, G extends K>(
    ...args: readonly [...A, Keywords<G> & OnlyKnown<G, K>]
  ): TaskSignature<Name, Lead<P, A>, R>
}

type Tailed<Name extends string, P extends List, R> =
  HasOneLength<P> extends true ? EachTail<Name, P, R> : AnyTail<Name, P, R>

type SignatureMaker<Name extends string, P extends List, K, R> = [K] extends [never]
  ? Tailed<Name, P, R>
  : (undefined extends K ? Tailed<Name, P, R> : unknown) &
      TailAndKeywords<Name, P, Exclude<K, undefined>, R>

/** Arguments of a call: the positional ones, and keywords made by `kw()` where the task has some. */
type CallArguments<P extends List, K> = [K] extends [never]
  ? P
  : undefined extends K
    ? WithKeywords<P, Exclude<K, undefined>> | P
    : WithKeywords<P, K>

// Counting the arguments loses their names, so it is done only where there is more than one count.
type WithKeywords<P extends List, K> =
  HasOneLength<P> extends true ? [...P, kwargs: Keywords<K>] : [...Counts<P>, kwargs: Keywords<K>]

/** Execution options of a call that gives R, and what follows it. */
export interface CallOptions<R = never> extends SendOptions {
  /** Run with the result. */
  readonly link?: Callback<R> | readonly Callback<R>[]
  /** Run when it fails: with its id, or with (request, error, traceback). */
  readonly linkError?: TakesFailure | readonly TakesFailure[]
}

/** How a task is sent; the same for tasks of this app and for those that live elsewhere. */
export interface Sendable<Name extends string, P extends List, K, R> {
  readonly name: Name
  readonly app: Celeriac
  /** Sends a call; resolves when the broker has confirmed it. */
  delay(...args: CallArguments<P, K>): Promise<AsyncResult<R>>
  /** Sends a call with execution options. */
  applyAsync(args: Readonly<CallArguments<P, K>>, options?: CallOptions<R>): Promise<AsyncResult<R>>
  /** The handle of a call somebody made, by its id; nothing is asked for yet. */
  asyncResult(id: string): Promise<AsyncResult<R>>
  /** Sends many calls in one batch, in order; resolves when all are confirmed. */
  applyAsyncMany(
    calls: Iterable<Readonly<CallArguments<P, K>>>,
    options?: CallOptions<R>,
  ): Promise<AsyncResult<R>[]>
  /**
   * Runs a call here and now, without a broker: through the same writing, reading, retries and links as
   * everywhere else. What the task throws is in the result, or thrown when `throw` says so.
   */
  apply(
    args: Readonly<CallArguments<P, K>>,
    options?: CallOptions<R> & { readonly throw?: boolean },
  ): Promise<AsyncResult<R>>
  /** A signature: the arguments given are the last ones, those before them come later. */
  readonly s: SignatureMaker<Name, P, K, R>
  /** An immutable signature: it takes no result of the step before it. */
  si(...args: CallArguments<P, K>): ImmutableSignature<Name, R>
  /** A whole signature from a list, with execution options. */
  signature(
    args: Readonly<CallArguments<P, K>>,
    options?: SignatureOptions,
  ): TaskSignature<Name, [], R>
  /** One message that calls the task for each item in turn. */
  map(items: Iterable<OnlyArgument<P>>): ImmutableSignature<'celery.map', R[]>
  /** Like `map`, each item being the arguments of a call. */
  starmap(items: Iterable<Readonly<P>>): ImmutableSignature<'celery.starmap', R[]>
  /** `starmap` in messages of `size` calls each. */
  chunks(items: Iterable<Readonly<P>>, size: number): ImmutableSignature<'celery.chunks', R[][]>
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

/** Options with the schemas of this very task. */
export interface OptionsWith<A, S> extends Omit<TaskOptions, 'args' | 'result'> {
  /** Checks the list of arguments, where the call is made and where it runs. */
  readonly args?: A
  /** Checks what the task gives, and makes the result of it. */
  readonly result?: S
}

/** True for no schema, and for one of which nothing is known. */
type IsOpen<S> =
  S extends Schema<infer Input, unknown> ? (unknown extends Input ? true : false) : true

/** A handler that fits the schemas: takes what the one makes, gives what the other takes. */
export type HandlerFor<A, S> = (
  this: TaskContext,
  ...args: IsOpen<A> extends true ? never : MadeArguments<A>
) => IsOpen<S> extends true ? unknown : Checkable<S>

type Checkable<S> = S extends Schema<infer Input, unknown> ? Input | PromiseLike<Input> : never

/** What callers see of a handler behind schemas. */
export type Declared<F extends AnyFunction, A, S> =
  IsOpen<A> extends true
    ? IsOpen<S> extends true
      ? F
      : (...args: Parameters<F>) => Checked<F, S>
    : (...args: TakenArguments<A>) => IsOpen<S> extends true ? ReturnType<F> : Checked<F, S>

/** What a schema makes of a result; a promise where the handler gives one. */
type Checked<F extends AnyFunction, S> =
  S extends Schema<unknown, infer Output>
    ? ReturnType<F> extends PromiseLike<unknown>
      ? Promise<Output>
      : Output
    : never

/** What a handler that cannot be a task is said to lack; nothing for the others. */
export type Unsendable<F extends AnyFunction> =
  TravelProblems<Parameters<F>, ReturnType<F>> extends infer Why
    ? [Why] extends [never]
      ? unknown
      : { readonly 'cannot be sent': Why }
    : never

/** Mapped, for the compiler looks through that for the parameters of generic handlers. */
export type Needing<T> = { readonly [K in keyof T]: T[K] }

/** How tasks of an app are defined. */
export interface DefineTask {
  <const Name extends string, F extends AnyFunction>(
    name: Name,
    run: F & Needing<Unsendable<F>>,
  ): Task<Name, F>
  <
    const Name extends string,
    F extends HandlerFor<A, S>,
    A extends ArgumentsSchema = ArgumentsSchema,
    S extends Schema = Schema,
  >(
    name: Name,
    options: OptionsWith<A, S>,
    run: F & Needing<Unsendable<Declared<F, A, S>>>,
  ): Task<Name, Declared<F, A, S>>
}
