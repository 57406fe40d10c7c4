/** The canvas as functions: workflows from signatures, sent by the app of the first of them. */
import * as data from '../canvas/index.ts'
import type {
  AnySignature,
  ChainLead,
  ChainResult,
  Follow,
  GroupLead,
  GroupResults,
  HeaderLead,
  HeaderResults,
  LeadOf,
  ResultOf,
  Steps,
} from '../canvas/types.ts'
import { AppliedSignature, appOf, dataOf } from './applied-signature.ts'
import type {
  ChainHandle,
  ChainSignature,
  ChordSignature,
  GroupSignature,
  LastHandle,
} from './typed.ts'

type Results<R> = R extends readonly unknown[] ? R : never

/** One after the other, each with the result of the one before it as its first argument. */
export function chain<const S extends readonly [AnySignature, ...AnySignature[]]>(
  ...steps: Steps<S>
): ChainSignature<ChainLead<S>, ChainResult<S>, ChainHandle<S>> {
  return applied(steps, data.chain(...steps.map(dataOf)), true)
}

/** A chain of steps made at run time; each takes what the one before it gives, the first what is still wanted. */
export function chainOf<S extends AnySignature>(
  steps: Iterable<S & Follow<S, ResultOf<S>>>,
): ChainSignature<LeadOf<S>, ResultOf<S>, LastHandle<S>> {
  const list = [...steps]
  return applied(list, data.chain(...list.map(dataOf)), true)
}

/** Side by side; what is given to the group is put in front of each member. */
export function group<const S extends readonly AnySignature[]>(
  ...members: S
): GroupSignature<GroupLead<S>, Results<GroupResults<S>>> {
  return applied(members, data.group(members.map(dataOf)))
}

/** A group of members made at run time. */
export function groupOf<S extends AnySignature>(
  members: Iterable<S>,
): GroupSignature<GroupLead<S[]>, Results<GroupResults<S[]>>> {
  const list = [...members]
  return applied(list, data.group(list.map(dataOf)))
}

/** `body` once all of the header are done, with the list of their results in order. */
export function chord<
  const H extends AnySignature | readonly AnySignature[],
  B extends AnySignature,
>(
  header: H,
  body: Follow<B, HeaderResults<H>>,
): ChordSignature<HeaderLead<H>, ResultOf<B>, LastHandle<B>> {
  const members: readonly unknown[] = Array.isArray(header) ? (header as unknown[]) : [header]
  const parts = members.map(dataOf)
  const [only] = parts
  const whole = parts.length === 1 && only?.kind === 'group' ? only : data.group(parts)
  return applied([...members, body], data.chord(whole, dataOf(body)))
}

/** The type of what comes out is computed from what went in, which the value cannot show. */
function applied<T>(from: readonly unknown[], signature: data.Signature, isSequence = false): T {
  return new AppliedSignature(appOf(from), signature, isSequence) as unknown as T
}
