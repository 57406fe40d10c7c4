/**
 * A signature that knows its app, so that it can be sent: the object behind `task.s()`, `chain()`,
 * `group()` and `chord()`. Untyped inside; canvas/types.ts gives it its types outside.
 */
import {
  clone,
  dataOf,
  link,
  linkError,
  pipe,
  signatureBrand,
  skew,
  stamp,
  toWire,
  withImmutable,
  withOptions,
  type Signature,
  type SignatureOptions,
  type StampOptions,
  type Stamps,
} from '../canvas/index.ts'
import { TasksError } from '../kernel/errors.ts'
import type { Member } from '../result/group-result.ts'
import type { Celeriac, SendOptions } from './app.ts'

export { dataOf }

export class AppliedSignature {
  readonly app: Celeriac
  readonly data: Signature
  /** Made of steps: what it was made into (a group before a step is a chord) is nobody's business. */
  readonly #isSequence: boolean
  readonly [signatureBrand] = true

  constructor(app: Celeriac, data: Signature, isSequence = false) {
    this.app = app
    this.data = data
    this.#isSequence = isSequence
  }

  #copy(data: Signature): AppliedSignature {
    return new AppliedSignature(this.app, data, this.#isSequence)
  }

  /** True for a signature of any copy of this package. */
  static is(value: unknown): value is AppliedSignature {
    return typeof value === 'object' && value !== null && signatureBrand in value
  }

  /** Name of its task, or `celery.chain`, `celery.group`, `celery.chord`. */
  get name(): string {
    return this.data.kind === 'call' ? this.data.task : `celery.${this.data.kind}`
  }

  get immutable(): boolean {
    return this.data.immutable
  }

  /** Sends it; what is still missing of the arguments goes in front. */
  delay(...lead: unknown[]): Promise<Member> {
    return this.app.send(this.data, { args: lead })
  }

  /** Sends it with execution options. */
  applyAsync(lead: readonly unknown[] = [], options: SendOptions = {}): Promise<Member> {
    return this.app.send(this.data, { ...options, args: lead })
  }

  /** Runs it here and now, without a broker. */
  apply(
    lead: readonly unknown[] = [],
    options: SendOptions & { readonly throw?: boolean } = {},
  ): Promise<Member> {
    return this.app.apply(this.data, { ...options, args: lead })
  }

  /** A copy with these execution options over its own. */
  set(options: SignatureOptions): AppliedSignature {
    return this.#copy(withOptions(this.data, options))
  }

  /** A copy with more arguments in front, keywords and options over its own. */
  clone(
    args: readonly unknown[] = [],
    kwargs: Readonly<Record<string, unknown>> = {},
    options: SignatureOptions = {},
  ): AppliedSignature {
    return this.#copy(clone(this.data, { args, kwargs, options }))
  }

  /** A copy that takes no result of the step before it. */
  asImmutable(): AppliedSignature {
    return this.#copy(withImmutable(this.data))
  }

  /** A copy that runs `next` with its result. */
  link(next: unknown): AppliedSignature {
    return this.#copy(link(this.data, dataOf(next)))
  }

  /**
   * A copy that runs `next` when it fails: of a sequence whichever of its tasks fails, of a group each member, of a
   * chord its body alone (its header as well where the setting says so), which also fails when the header does.
   */
  linkError(next: unknown): AppliedSignature {
    const onChordHeader =
      this.#isSequence || this.app.setting('taskAllowErrorCbOnChordHeader') === true
    return this.#copy(linkError(this.data, dataOf(next), { onChordHeader }))
  }

  /** Celery's other name for `linkError`. */
  onError(next: unknown): AppliedSignature {
    return this.linkError(next)
  }

  /** This, then that: Celery's `|`. */
  pipe(next: unknown): AppliedSignature {
    return new AppliedSignature(this.app, pipe(this.data, dataOf(next)), true)
  }

  /** A copy that carries these stamps with every message, and what a visitor adds. */
  stamp(stamps: Stamps = {}, options: StampOptions = {}): AppliedSignature {
    return this.#copy(stamp(this.data, stamps, options))
  }

  /** A copy of a group whose members start one after the other: countdowns from `start`, in seconds. */
  skew(start = 1, stop?: number, step = 1): AppliedSignature {
    if (this.data.kind !== 'group') {
      throw new TasksError('TASKS_SIGNATURE_INVALID', `only groups can be skewed, not ${this.name}`)
    }
    return this.#copy(skew(this.data, start, stop, step))
  }

  /** As it travels. */
  toJSON(): object {
    return toWire(this.data)
  }
}

/** The app of the first of these; `TASKS_SIGNATURE_INVALID` when there is none. */
export function appOf(given: readonly unknown[]): Celeriac {
  for (const one of given) if (AppliedSignature.is(one)) return one.app
  throw new TasksError('TASKS_SIGNATURE_INVALID', 'there is no signature in here')
}
