/**
 * Steps that are undone when a later one fails: a chain in which each step carries, as its error callback, what
 * undoes the steps before it, last one first.
 */
import { chain, linkError, withImmutable, type Signature } from '../canvas/index.ts'
import type { AnySignature, ChainLead, ChainResult, Steps } from '../canvas/types.ts'
import { AppliedSignature, appOf, dataOf } from './applied-signature.ts'
import type { SignatureOf } from './typed.ts'

const undos = new WeakMap<object, Signature>()

/**
 * A step with what undoes it; the latter takes no result, so its arguments must be whole. Give it its options and
 * links before.
 */
export function undoable<S extends AnySignature>(step: S, undo: AnySignature): S {
  const copy = new AppliedSignature(appOf([step]), dataOf(step))
  undos.set(copy, withImmutable(dataOf(undo)))
  return copy as unknown as S
}

/**
 * A chain whose steps are undone, last one first, when a later one fails. What undoes a step runs once that step
 * has succeeded; a step that fails undoes nothing of its own. Retries come before: a step fails when none is left.
 */
export function saga<const S extends readonly [AnySignature, ...AnySignature[]]>(
  ...steps: Steps<S>
): SignatureOf<'celery.chain', ChainLead<S>, ChainResult<S>> {
  const done: Signature[] = []
  const parts = steps.map((step: object) => {
    const part = dataOf(step)
    // The newest first: what came last is undone first.
    const undone = done.length === 0 ? part : linkError(part, chain(...done))
    const undo = undos.get(step)
    if (undo) done.unshift(undo)
    return undone
  })
  return new AppliedSignature(appOf(steps), chain(...parts)) as unknown as SignatureOf<
    'celery.chain',
    ChainLead<S>,
    ChainResult<S>
  >
}
