/** The public names of the package. */
export type { Signature } from './canvas/signature.ts'
