/**
 * Types of error callbacks. One that wants a single argument is sent with the id of what failed; one that
 * wants more, of a task this worker knows, is called in place with (request, error, traceback).
 */
import type { AnySignature, lead, LeadOf, NameOf, WholeSignature } from '../canvas/types.ts'
import type { FailedTask } from '../execution/errback.ts'
import type { RemoteError } from '../protocol/failures.ts'

type List = readonly unknown[]
type Id = [id: string]
type InPlace = [request: FailedTask, error: RemoteError, traceback: string]

/** What the compiler shows for a signature that cannot be an error callback. */
export interface ErrbackMismatch<Task, Info> {
  readonly '✗ this is no error callback': readonly [Task, Info]
}

// A list without a fixed end tells nothing about how many parameters there are.
type TakesOne<L> = L extends List
  ? number extends L['length']
    ? never
    : L extends readonly []
      ? never
      : [never] extends L
        ? true
        : never
  : never

type TakesMore<L> = L extends List
  ? number extends L['length']
    ? never
    : L extends readonly [_?: unknown]
      ? never
      : true
  : never

/** Workflows are sent, so only tasks can be called in place. */
type FitsInPlace<S, L> =
  NameOf<S> extends `celery.${string}`
    ? false
    : [TakesOne<L>] extends [never]
      ? InPlace extends L
        ? true
        : [InPlace[0], InPlace[1]] extends L
          ? true
          : false
      : false

type FitsFailure<S, L = LeadOf<S>> = S extends { readonly immutable: true }
  ? [] extends L
    ? true
    : false
  : [TakesMore<L>] extends [never]
    ? Id extends L
      ? true
      : FitsInPlace<S, L>
    : FitsInPlace<S, L>

/** S where it can be run for a failure, else the message that says why not. */
export type ErrbackOf<S> =
  FitsFailure<S> extends true
    ? S
    : ErrbackMismatch<
        NameOf<S>,
        { expects: LeadOf<S>; given: '[id] or [request, error, traceback]' }
      >

/** A signature that can be run for a failure, where only its shape can be asked for. */
export type TakesFailure = TakesId | TakesRequest | (WholeSignature & { readonly immutable: true })

interface TakesId extends AnySignature {
  readonly [lead]: (lead: Id) => void
}

interface TakesRequest extends AnySignature {
  readonly [lead]: (lead: InPlace) => void
}
