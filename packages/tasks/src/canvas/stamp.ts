/**
 * Stamps: values that travel with every message of a workflow, by name, to be seen in requests and results and
 * to revoke by. A visitor says what each part gets. Pure copies; the order of visits is Celery's.
 */
import { stampsOf, withOptions, type Signature, type SignatureOptions } from './signature.ts'

export type Stamps = Readonly<Record<string, unknown>>

/**
 * Asked on the way through a workflow, with the signature and the stamps it has got so far; what it gives is
 * added. A list under `stampedHeaders` says which of the names are stamps; the others become options of the
 * message. All are optional but `onSignature`.
 */
export interface StampingVisitor {
  onSignature(signature: Signature, stamps: Stamps): Stamps | void
  onChainStart?(chain: Signature, stamps: Stamps): Stamps | void
  onChainEnd?(chain: Signature, stamps: Stamps): void
  onGroupStart?(group: Signature, stamps: Stamps): Stamps | void
  onGroupEnd?(group: Signature, stamps: Stamps): void
  onChordHeaderStart?(chord: Signature, stamps: Stamps): Stamps | void
  onChordHeaderEnd?(chord: Signature, stamps: Stamps): void
  onChordBody?(chord: Signature, stamps: Stamps): Stamps | void
  onCallback?(callback: Signature, stamps: Stamps): Stamps | void
  onErrback?(errback: Signature, stamps: Stamps): Stamps | void
}

export interface StampOptions {
  readonly visitor?: StampingVisitor | undefined
  /** Collect values of one name in a list, instead of keeping the newest. */
  readonly append?: boolean | undefined
}

/** Stamps on their way down, and other options a visitor has given. */
interface Carried {
  readonly stamps: Stamps
  readonly others: Stamps
}

const nothing: Stamps = Object.freeze({})

/** A copy in which every task that will be sent carries the stamps, those linked to it included. */
export function stamp<S extends Signature>(
  signature: S,
  stamps: Stamps = nothing,
  options: StampOptions = {},
): S {
  return new Stamper(options).apply(signature, { stamps, others: nothing }) as S
}

class Stamper {
  readonly #visitor: StampingVisitor | undefined
  readonly #append: boolean

  constructor({ visitor, append = false }: StampOptions) {
    this.#visitor = visitor
    this.#append = append
  }

  apply(signature: Signature, given: Carried): Signature {
    const visitor = this.#visitor
    switch (signature.kind) {
      case 'call': {
        const linked = this.#links(signature, given)
        const all = this.#add(given, visitor?.onSignature(signature, given.stamps))
        return withOptions(linked, this.#options(signature.options, all))
      }
      case 'chain': {
        const all = this.#add(given, visitor?.onChainStart?.(signature, given.stamps))
        const steps = signature.steps.map((step) => this.apply(step, all))
        visitor?.onChainEnd?.(signature, all.stamps)
        return { ...this.#links(signature, all), steps } as Signature
      }
      case 'group': {
        const all = this.#add(given, visitor?.onGroupStart?.(signature, given.stamps))
        const members = signature.members.map((member) => this.apply(member, all))
        visitor?.onGroupEnd?.(signature, all.stamps)
        return { ...this.#links(signature, all), members } as Signature
      }
      case 'chord': {
        const all = this.#add(given, visitor?.onChordHeaderStart?.(signature, given.stamps))
        const header = signature.header.map((member) => this.apply(member, all))
        visitor?.onChordHeaderEnd?.(signature, all.stamps)
        const forBody = this.#add(all, visitor?.onChordBody?.(signature, all.stamps))
        const body = this.apply(signature.body, forBody)
        return { ...this.#links(signature, all), header, body } as Signature
      }
    }
  }

  /** What is linked gets the stamps of what it hangs on, and those a visitor has for links. */
  #links(signature: Signature, given: Carried): Signature {
    const { link, linkError } = signature.options
    if (link === undefined && linkError === undefined) return signature
    const all = (
      list: readonly Signature[] | undefined,
      visit: ((one: Signature, stamps: Stamps) => Stamps | void) | undefined,
    ): readonly Signature[] | undefined =>
      list?.map((one) => this.apply(one, this.#add(given, visit?.(one, given.stamps))))
    const visitor = this.#visitor
    const links = all(link, visitor?.onCallback?.bind(visitor))
    const errbacks = all(linkError, visitor?.onErrback?.bind(visitor))
    return withOptions(signature, {
      ...(links && { link: links }),
      ...(errbacks && { linkError: errbacks }),
    })
  }

  /** A visitor's own come before those from above. */
  #add(given: Carried, own: Stamps | void): Carried {
    if (!own) return given
    const { stampedHeaders, ...values } = own
    const names = Array.isArray(stampedHeaders) ? new Set(stampedHeaders) : undefined
    const stamps: Record<string, unknown> = {}
    const others: Record<string, unknown> = { ...given.others }
    for (const [name, value] of Object.entries(values)) {
      if (names === undefined || names.has(name)) stamps[name] = value
      else others[name] = value
    }
    return { stamps: this.#merge(stamps, given.stamps), others }
  }

  /** What a signature was stamped with before stays, unless the same name comes again. */
  #options(own: SignatureOptions, { stamps, others }: Carried): SignatureOptions {
    const merged = this.#merge(stamps, stampsOf(own) ?? nothing)
    const names = Object.keys(merged)
    if (names.length === 0 && Object.keys(others).length === 0) return {}
    return { stampedHeaders: names, extra: { ...others, ...merged } }
  }

  #merge(newer: Stamps, older: Stamps): Stamps {
    const merged: Record<string, unknown> = { ...older, ...newer }
    if (!this.#append) return merged
    for (const name of Object.keys(newer)) {
      if (!(name in older)) continue
      const values = [...listOf(older[name]), ...listOf(newer[name])]
      merged[name] = [...new Set(values)]
    }
    return merged
  }
}

const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]
