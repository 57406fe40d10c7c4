/** Front door of the canvas: signatures, how they combine, what they make the client and the worker do. */
export { replacement, retryCall, type RetryChange } from './again.ts'
export { chain, chord, chunks, group, pipe, skew, xmap, xstarmap } from './combinators.ts'
export {
  chordBody,
  chordFailure,
  chordUnlock,
  dependencyText,
  joinsLater,
  unlockCall,
  type JoinContext,
} from './join.ts'
export { link, linkAll, linkError, type LinkErrorOptions } from './links.ts'
export { explain, type ExplainContext, type Explanation, type ExplainedPart } from './explain.ts'
export {
  next,
  unrun,
  type ChordPart,
  type FailedStep,
  type Finished,
  type FinishedOutcome,
  type InlineErrback,
  type Next,
  type NextContext,
} from './next.ts'
export { outgoing, type OutgoingContext } from './outgoing.ts'
export { plan, type Countdown, type Plan, type PlanContext, type PlannedCall } from './plan.ts'
export {
  groupTree,
  idOf,
  leafIds,
  readTree,
  taskIds,
  taskTree,
  type ResultTree,
} from './result-tree.ts'
export {
  call,
  clone,
  dataOf,
  deliveryOf,
  mergeArgs,
  mergeOptions,
  noOptions,
  signatureBrand,
  withImmutable,
  withOptions,
  type Call,
  type Chain,
  type Chord,
  type DeliveryOptions,
  type Group,
  type Signature,
  type SignatureOptions,
  type SignatureParts,
} from './signature.ts'
export { stamp, type StampingVisitor, type StampOptions, type Stamps } from './stamp.ts'
export { fromWire, toWire } from './wire.ts'
