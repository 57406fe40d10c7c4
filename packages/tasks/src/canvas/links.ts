/** Callbacks and error callbacks: where each kind of signature keeps them. Pure copies. */
import { isDeepStrictEqual } from 'node:util'
import { withImmutable, withOptions, type Signature } from './signature.ts'

export interface LinkErrorOptions {
  /** Also on every header member of a chord (`task_allow_error_cb_on_chord_header`). */
  readonly onChordHeader?: boolean
}

/**
 * A copy that runs `callback` with its result. A chain runs it after its last step, a chord after its
 * body; a group after its first member and without the result, for it has no result of its own. The same
 * callback is kept once.
 */
export function link<S extends Signature>(signature: S, callback: Signature): S
export function link(signature: Signature, callback: Signature): Signature {
  switch (signature.kind) {
    case 'call':
    case 'chain': {
      const list = added(signature.options.link, callback)
      return withOptions(signature, { link: list })
    }
    case 'group': {
      const [first, ...rest] = signature.members
      if (first === undefined) return signature
      return { ...signature, members: [link(first, withImmutable(callback)), ...rest] }
    }
    case 'chord':
      return { ...signature, body: link(signature.body, callback) }
  }
}

/**
 * A copy that runs `errback` when it fails: every step of a chain, every member of a group, the body of a
 * chord. Chords inside the header of a chord get it always, its other members only on request.
 */
export function linkError<S extends Signature>(
  signature: S,
  errback: Signature,
  options?: LinkErrorOptions,
): S
export function linkError(
  signature: Signature,
  errback: Signature,
  options: LinkErrorOptions = {},
): Signature {
  const linked = (one: Signature): Signature => linkError(one, errback, options)
  switch (signature.kind) {
    case 'call':
    case 'chain': {
      const list = added(signature.options.linkError, errback)
      return withOptions(signature, { linkError: list })
    }
    case 'group':
      return { ...signature, members: signature.members.map(linked) }
    case 'chord': {
      const header = signature.header.map((member) =>
        options.onChordHeader || member.kind === 'chord' ? linked(member) : member,
      )
      return { ...signature, header, body: linked(signature.body) }
    }
  }
}

function added(list: readonly Signature[] | undefined, one: Signature): readonly Signature[] {
  if (list === undefined) return [one]
  return list.some((other) => isDeepStrictEqual(other, one)) ? list : [...list, one]
}

/** Several callbacks and error callbacks at once. */
export function linkAll<S extends Signature>(
  signature: S,
  callbacks: readonly Signature[] = [],
  errbacks: readonly Signature[] = [],
  options: LinkErrorOptions = {},
): S {
  const linked = callbacks.reduce<S>((one, callback) => link(one, callback), signature)
  return errbacks.reduce<S>((one, errback) => linkError(one, errback, options), linked)
}
