/** The canvas as functions: workflows from signatures, with the app of the first of them. */
import * as data from '../canvas/index.ts'
import { AppliedSignature, appOf, dataOf } from './applied-signature.ts'

export function chain(...steps: AppliedSignature[]): AppliedSignature {
  return new AppliedSignature(appOf(steps), data.chain(...steps.map(dataOf)))
}

export function group(...members: AppliedSignature[]): AppliedSignature {
  return new AppliedSignature(appOf(members), data.group(members.map(dataOf)))
}

export function groupOf(members: Iterable<AppliedSignature>): AppliedSignature {
  return group(...members)
}

export function chord(header: AppliedSignature, body: AppliedSignature): AppliedSignature {
  return new AppliedSignature(
    appOf([header, body]),
    data.chord(dataOf(header) as never, dataOf(body)),
  )
}
