/**
 * What a message says must follow an outcome: callbacks, the next step, the part of a chord, the failure
 * of all that will never run. canvas/next.ts decides; this carries it out.
 */
import {
  chordBody,
  chordFailure,
  dependencyText,
  leafIds,
  next,
  unrun,
  type Call,
  type ChordPart,
  type FailedStep,
  type Finished,
  type JoinContext,
  type Next,
  type Plan,
  type ResultTree,
} from '../canvas/index.ts'
import { readBlock, type Block } from '../client/offload.ts'
import type { Sending } from '../client/outbox.ts'
import { ChordError, TimeoutError } from '../kernel/errors.ts'
import { isReady } from '../kernel/states.ts'
import type { WireSignature } from '../protocol/task-message.ts'
import { encodeFailure, exceptionRepr, readException, type Failure } from '../protocol/failures.ts'
import type { FailedTask } from './errback.ts'
import type { PartResult, Patience, Recorder } from './record.ts'
import { unlessUnrecorded } from './unrecorded.ts'

export interface FollowServices {
  readonly outbox: Sending
  readonly recorder: Recorder
  readonly replyTo: string
  /** How long joining a header may take (`resultChordJoinTimeout`), here and elsewhere. */
  readonly patience: Patience
  nextId(): string
  dateDone(): string
  /** True for error callbacks that are registered here and take (request, error, traceback). */
  isInline(errback: Call): boolean
  /** What follows a task of this priority, with it where the settings say so. */
  inherit(plan: Plan, priority: number | undefined): Plan
  callInline(errback: Call, failed: FailedTask, failure: Failure): Promise<void>
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
    const { nextId, replyTo, inherit } = this.#services
    const decided = next(finished, {
      nextId,
      replyTo,
      isInline: (errback) => this.#services.isInline(errback),
    })
    const { priority } = finished.meta
    return { ...decided, plans: decided.plans.map((plan) => inherit(plan, priority)) }
  }

  /** Before the outcome is stored: sends what follows. */
  async before(decided: Next): Promise<void> {
    for (const plan of decided.plans) await this.#services.outbox.send(plan)
  }

  /** After a success is stored: counts the parts of chords. */
  async after(decided: Next, value: unknown): Promise<void> {
    await this.#countAll(decided.parts, 'SUCCESS', value)
  }

  /**
   * After a failure is stored: that of what will never run, first, since whoever is told may look at it; then the
   * error callbacks and the parts of chords. `request` is what those called here get of a task that ran.
   */
  async afterFailure(
    decided: Next,
    state: 'FAILURE' | 'REVOKED',
    failure: Failure,
    request?: FailedTask,
  ): Promise<void> {
    await this.#fail(decided.failed, failure)
    // Who waits for a chord or a later step is told, even when an error callback can never be sent.
    const unsent = await unlessUnrecorded(() => this.before(decided))
    for (const { errback, failed } of decided.inline)
      await this.#services.callInline(errback, request ?? failed, failure)
    await this.#countAll(decided.parts, state, failure.exception)
    if (unsent) throw unsent.error
  }

  async #countAll(parts: readonly ChordPart[], state: string, value: unknown): Promise<void> {
    for (const part of parts) await this.#count(part, state, value)
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
    const { recorder, patience } = this.#services
    const parts = await recorder.count({ state, value, ...part }, patience)
    if (!parts) return
    const context = this.#joinContext(part.taskId, part.rootId)
    const broken = parts.find(isBroken)
    // As in Celery, the counts of a broken one stay until they expire.
    if (broken) return await this.#breakChord(part.body, broken, context)
    const results = await this.#results(part.groupId, parts)
    if (results instanceof ChordError) return await this.#failBody(part.body, results, context)
    const planned = chordBody(part.body, results, context)
    await this.#services.outbox.send(this.#services.inherit(planned, part.priority))
    await recorder.endCount(part.groupId)
  }

  /**
   * Looks whether all members of a header have ended, from their records, and when they have sends its body with
   * their results, or fails it with the first of them that failed. `none` have ended yet, or `some`, whose records
   * do not last for ever.
   */
  async join(
    body: WireSignature,
    members: readonly ResultTree[],
    { id: parentId, rootId }: { readonly id: string; readonly rootId: string },
  ): Promise<'none' | 'some' | 'all'> {
    const records = await this.#services.recorder.read(members.flatMap(leafIds))
    const ended = records.filter(({ state }) => isReady(state)).length
    if (ended < records.length) return ended === 0 ? 'none' : 'some'
    const context = this.#joinContext(parentId, rootId)
    const broken = records.find(isBroken)
    if (broken) await this.#breakChord(body, broken, context)
    else {
      const values = records.values()
      const valueOf = ([, children]: ResultTree): unknown =>
        children ? children.map(valueOf) : values.next().value!.value
      await this.#services.outbox.send(chordBody(body, members.map(valueOf), context))
    }
    return 'all'
  }

  /** A chord that nobody will ever complete: its body fails with this reason. */
  async giveUp(
    body: WireSignature,
    reason: string,
    { id, rootId }: { readonly id: string; readonly rootId: string },
  ): Promise<void> {
    await this.#failBody(body, new ChordError(reason), this.#joinContext(id, rootId))
  }

  /** What was kept of a workflow (client/offload.ts) will never run, since this task failed. */
  async abandon(ref: string, failedId: string, rootId: string): Promise<void> {
    const { recorder } = this.#services
    const [found] = await recorder.read([failedId])
    const exception = readException(found?.value)
    const failure: Failure = { exception, traceback: '', summary: exceptionRepr(exception) }
    const context = this.#joinContext(failedId, rootId)
    for (let at: string | null = ref; at !== null;) {
      const { kind, steps, next }: Block = await readBlock(await recorder.backend(), at)
      const decided = kind === 'chord' ? chordFailure(steps[0]!, context) : unrun(steps, rootId)
      await this.afterFailure(decided, 'FAILURE', failure)
      at = next
    }
  }

  /** Nothing else is known of what will never run: who waits for its last result is told. */
  async failLast(
    { id, replyTo }: { readonly id: string; readonly replyTo: string | undefined },
    error: unknown,
  ): Promise<void> {
    await this.#fail(
      [{ id, groupId: undefined, parentId: undefined, replyTo }],
      encodeFailure(error),
    )
  }

  #joinContext(parentId: string, rootId: string): JoinContext {
    const { nextId, replyTo } = this.#services
    const isInline = (errback: Call): boolean => this.#services.isInline(errback)
    return { nextId, replyTo, isInline, parentId, rootId }
  }

  /**
   * A header that was saved as a group is joined from the records of its members, as Celery does. Python saves those
   * with groups in them, and a worker of Python's that sends such a group sets the size of the whole to that of the
   * group: when it is reached some of the others may still run, so they are waited for.
   */
  async #results(
    groupId: string,
    parts: readonly PartResult[],
  ): Promise<readonly unknown[] | ChordError> {
    const { recorder, patience } = this.#services
    const tree = await (await recorder.backend()).readGroup(groupId)
    if (!tree?.[1]) return parts.map(({ value }) => value)
    const known = new Map(parts.map(({ taskId, value }) => [taskId, value]))
    const others = leafIds(tree).filter((id) => !known.has(id))
    try {
      const records = others.length > 0 ? await recorder.readEnded(others, patience) : []
      const broken = records.find(isBroken)
      if (broken) return brokenBy(broken)
      for (const { taskId, value } of records) known.set(taskId, value)
    } catch (error) {
      if (error instanceof TimeoutError) return new ChordError(`Join error: ${error.message}`)
      throw error
    }
    const valueOf = ([[id], members]: ResultTree): unknown =>
      members ? members.map(valueOf) : known.get(id)
    return tree[1].map(valueOf)
  }

  /** A part failed: the body and what hangs on it will never run, and who waits for it is told. */
  async #breakChord(body: WireSignature, broken: PartResult, context: JoinContext): Promise<void> {
    await this.#failBody(body, brokenBy(broken), context)
  }

  async #failBody(body: WireSignature, error: ChordError, context: JoinContext): Promise<void> {
    const failure = encodeFailure(error)
    await this.afterFailure(chordFailure(body, context), 'FAILURE', failure)
  }
}

const isBroken = ({ state }: PartResult): boolean => state !== 'SUCCESS'

function brokenBy({ taskId, value }: PartResult): ChordError {
  return new ChordError(dependencyText(taskId, readException(value)))
}
