/**
 * What a message says must follow an outcome: callbacks, the next step, the part of a chord, the failure
 * of all that will never run. canvas/next.ts decides; this carries it out.
 */
import {
  chordBody,
  chordFailure,
  dependencyText,
  next,
  type Call,
  type ChordPart,
  type FailedStep,
  type Finished,
  type JoinContext,
  type Next,
  type ResultTree,
} from '../canvas/index.ts'
import type { Sending } from '../client/outbox.ts'
import { ChordError } from '../kernel/errors.ts'
import type { WireSignature } from '../protocol/task-message.ts'
import { encodeFailure, readException, type Failure } from '../protocol/failures.ts'
import type { PartResult, Recorder } from './record.ts'

export interface FollowServices {
  readonly outbox: Sending
  readonly recorder: Recorder
  readonly replyTo: string
  nextId(): string
  dateDone(): string
  /** True for error callbacks that are registered here and take (request, error, traceback). */
  isInline(errback: Call): boolean
  callInline(errback: Call, finished: Finished): Promise<void>
}

const nothing: Next = { plans: [], children: [], inline: [], parts: [], failed: [] }

export class Follower {
  readonly #services: FollowServices

  constructor(services: FollowServices) {
    this.#services = services
  }

  /** Decides what follows. */
  next(finished: Finished): Next {
    const { callbacks, errbacks, chain, chord } = finished.payload.embed
    if (!callbacks?.length && !errbacks?.length && !chain?.length && !chord) return nothing
    const { nextId, replyTo } = this.#services
    return next(finished, {
      nextId,
      replyTo,
      isInline: (errback) => this.#services.isInline(errback),
    })
  }

  /** Before the outcome is stored: sends what follows. */
  async before(decided: Next, finished: Finished): Promise<void> {
    for (const plan of decided.plans) await this.#services.outbox.send(plan)
    for (const errback of decided.inline) await this.#services.callInline(errback, finished)
  }

  /** After the outcome is stored: fails what will never run, and counts the parts of chords. */
  async after(decided: Next, state: string, value: unknown, failure?: Failure): Promise<void> {
    if (failure) await this.#fail(decided.failed, failure)
    for (const part of decided.parts) {
      await this.#count(part, state, failure ? failure.exception : value)
    }
  }

  async #fail(steps: readonly FailedStep[], { exception, traceback }: Failure): Promise<void> {
    await Promise.all(
      steps.map(({ id, groupId, parentId, replyTo }) =>
        this.#services.recorder.store(
          {
            taskId: id,
            status: 'FAILURE',
            result: exception,
            traceback: traceback ?? null,
            children: [],
            dateDone: this.#services.dateDone(),
            groupId,
            parentId,
          },
          { replyTo, correlationId: id },
        ),
      ),
    )
  }

  async #count(part: ChordPart, state: string, value: unknown): Promise<void> {
    const { recorder, nextId, replyTo } = this.#services
    const parts = await recorder.count({ ...part, state, value })
    if (!parts) return
    const context: JoinContext = {
      nextId,
      replyTo,
      isInline: (errback) => this.#services.isInline(errback),
      parentId: part.taskId,
      rootId: part.rootId,
    }
    const broken = parts.find((one) => one.state !== 'SUCCESS')
    // As in Celery, the counts of a broken one stay until they expire.
    if (broken) return await this.breakChord(part.body, broken, context)
    const results = await this.#results(part.groupId, parts)
    await this.#services.outbox.send(chordBody(part.body, results, context))
    await (await recorder.backend()).endCountdown(part.groupId)
  }

  /** A header that was saved as a group is joined from the records of its members, as Celery does. */
  async #results(groupId: string, parts: readonly PartResult[]): Promise<unknown[]> {
    const backend = await this.#services.recorder.backend()
    const tree = await backend.readGroup(groupId)
    if (!tree?.[1]) return parts.map(({ value }) => value)
    const known = new Map(parts.map(({ taskId, value }) => [taskId, value]))
    const valueOf = async (member: ResultTree): Promise<unknown> => {
      if (member[1]) return await Promise.all(member[1].map(valueOf))
      const [[id]] = member
      if (known.has(id)) return known.get(id)
      const [record] = await backend.read([id])
      return record === undefined ? null : backend.decode(record).result
    }
    return await Promise.all(tree[1].map(valueOf))
  }

  /** A part failed: the body and what hangs on it will never run, and who waits for it is told. */
  async breakChord(body: WireSignature, broken: PartResult, context: JoinContext): Promise<void> {
    const exception = readException(broken.value)
    const failure = encodeFailure(new ChordError(dependencyText(broken.taskId, exception)))
    const decided = chordFailure(body, context)
    for (const plan of decided.plans) await this.#services.outbox.send(plan)
    await this.after(decided, 'FAILURE', undefined, failure)
  }
}
