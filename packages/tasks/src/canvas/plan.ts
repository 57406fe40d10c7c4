/**
 * Signature → what to send now and which joins to announce before. Sends nothing, remembers nothing: ids
 * come from the caller, times stay relative until the message is written.
 */
import type { Embed, WireSignature } from '../protocol/task-message.ts'
import { freeze, freezeSteps, headerOf, placed, type Place } from './freeze.ts'
import { linkAll } from './links.ts'
import {
  follow,
  groupNode,
  taskNode,
  treeOf,
  type ResultNode,
  type ResultTree,
} from './result-tree.ts'
import {
  deliveryOf,
  mergeArgs,
  mergeOptions,
  stampsOf,
  withOptions,
  type Call,
  type Chain,
  type Chord,
  type DeliveryOptions,
  type Group,
  type Signature,
} from './signature.ts'
import { followedBy, membersOf, stepsOf, unrollChunks } from './upgrade.ts'
import { fromWire, toWire, type WireMemo } from './wire.ts'

export interface PlanContext {
  nextId(): string
  /** Address for results of those signatures that have none of their own. */
  readonly replyTo: string
  /** The task that sends this one. */
  readonly parentId?: string | undefined
  readonly rootId?: string | undefined
  /** Put in front of the signature's own arguments, unless it is immutable. */
  readonly args?: readonly unknown[] | undefined
  /** Laid over the signature's own, unless it is immutable. */
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined
  /** Laid over the signature's own. */
  readonly options?: DeliveryOptions | undefined
  /** What comes after the signature, last step first, as a message carries it. */
  readonly chain?: readonly WireSignature[] | undefined
}

/** One message to send, complete but for its times and where it goes. */
export interface PlannedCall {
  readonly id: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly embed: Embed
  readonly groupId: string | undefined
  readonly groupIndex: number | undefined
  readonly rootId: string
  readonly parentId: string | undefined
  readonly replyTo: string
  readonly retries: number
  readonly replacedTaskNesting: number
  readonly stampedHeaders: readonly string[] | undefined
  readonly stamps: Readonly<Record<string, unknown>> | undefined
  /** Of the process that sent the task first; set for retries only. */
  readonly origin: string | undefined
  readonly options: DeliveryOptions
}

/** A join: when `size` parts of the group have been counted, the body is due. Announce it before sending. */
export interface Countdown {
  readonly groupId: string
  readonly size: number
  readonly body: WireSignature
  /** Results of the members in order, for stores that cannot count. */
  readonly members: readonly ResultTree[]
  readonly rootId: string | undefined
  readonly parentId: string | undefined
}

export interface Plan {
  /** In this order. */
  readonly send: readonly PlannedCall[]
  readonly countdowns: readonly Countdown[]
  /** What the caller gets back; undefined when there was nothing to run (an empty chain). */
  readonly result: ResultTree | undefined
}

/** Throws `TASKS_SIGNATURE_INVALID` for what cannot be run. */
export function plan(signature: Signature, context: PlanContext): Plan {
  const planner = new Planner(context)
  const node = planner.apply(signature, {}, context, context.chain)
  const { send, countdowns } = planner
  return { send, countdowns, result: node && treeOf(node) }
}

/** What a signature is called with, handed down from the whole to its parts. */
interface Given {
  readonly args?: readonly unknown[] | undefined
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined
  readonly options?: DeliveryOptions | undefined
}

type Rest = readonly WireSignature[] | undefined

class Planner {
  readonly send: PlannedCall[] = []
  readonly countdowns: Countdown[] = []
  readonly #context: PlanContext
  #made: WireMemo | undefined

  constructor(context: PlanContext) {
    this.#context = context
  }

  /** Most plans are one call, in which nothing is shared. */
  get #memo(): WireMemo {
    return (this.#made ??= new Map())
  }

  /** `rest` is what comes after the signature, last step first. Undefined when there is nothing to run. */
  apply(signature: Signature, place: Place, given: Given, rest?: Rest): ResultNode | undefined {
    switch (signature.kind) {
      case 'call': {
        const one = unrollChunks(signature)
        if (one.kind === 'call') return this.#applyCall(one, place, given, rest)
        return this.#applyGroup(one, place, given, rest)
      }
      case 'chain':
        return this.#applyChain(signature, place, given, rest)
      case 'group':
        return this.#applyGroup(signature, place, given, rest)
      case 'chord':
        return this.#applyChord(signature, place, given, rest)
    }
  }

  #applyCall(call: Call, place: Place, given: Given, rest: Rest): ResultNode {
    const { replyTo, rootId, parentId } = this.#context
    const { options } = call
    const { id = this.#context.nextId(), groupId, groupIndex, chord } = placed(options, place)
    const own = this.#wires(options.chain)
    this.send.push({
      id,
      task: call.task,
      args: mergeArgs(call, given.args),
      kwargs: call.immutable || !given.kwargs ? call.kwargs : { ...call.kwargs, ...given.kwargs },
      embed: {
        callbacks: this.#wires(options.link),
        errbacks: this.#wires(options.linkError),
        chain: rest && own ? [...rest, ...own] : (rest ?? own),
        chord: chord === undefined ? null : toWire(chord, this.#memo),
      },
      groupId,
      groupIndex,
      rootId: rootId ?? options.rootId ?? id,
      parentId: parentId ?? options.parentId,
      replyTo: options.replyTo ?? replyTo,
      retries: options.retries ?? 0,
      replacedTaskNesting: options.replacedTaskNesting ?? 0,
      stampedHeaders: options.stampedHeaders,
      stamps: stampsOf(options),
      origin: undefined,
      options: mergeOptions(deliveryOf(options), given.options),
    })
    return taskNode(id)
  }

  #applyChain(chain: Chain, place: Place, given: Given, rest: Rest): ResultNode | undefined {
    const steps = stepsOf(chain)
    const [first, ...later] = steps
    if (first === undefined) return undefined
    // A group cannot be followed by what another message carries; as part of one chain it becomes a chord.
    if (rest?.length && steps.at(-1)!.kind === 'group') {
      return this.apply(followedBy(chain, rest.map(fromWire)), place, given)
    }
    const own = placed(chain.options, place)
    const mine = chain.immutable ? { options: given.options } : given
    if (later.length === 0) return this.apply(first, own, mine, rest ?? [])
    const frozen = freezeSteps(later, own, this.#context)
    const wires = frozen.steps.reverse().map((step) => toWire(step, this.#memo))
    const node = this.apply(first, {}, mine, rest ? [...rest, ...wires] : wires)!
    follow(frozen.first, node)
    return frozen.node
  }

  #applyGroup(group: Group, place: Place, given: Given, rest: Rest): ResultNode | undefined {
    if (rest?.length) return this.apply(followedBy(group, rest.map(fromWire)), place, given)
    const { id = this.#context.nextId(), groupId, chord } = placed(group.options, place)
    // Celery sends groups in the header of a chord: their members count for that chord.
    const common = { groupId: chord === undefined ? id : (groupId ?? id), chord }
    return groupNode(id, this.#applyAll(membersOf(group), common, given, group.immutable))
  }

  #applyAll(
    members: readonly Signature[],
    place: Place,
    given: Given,
    immutable: boolean,
  ): ResultNode[] {
    const { id, groupId, chord } = place
    const mine = immutable ? { options: given.options } : given
    return members.map((member, groupIndex) =>
      this.apply(member, { id, groupId, groupIndex, chord }, mine)!,
    )
  }

  #applyChord(chord: Chord, place: Place, given: Given, rest: Rest): ResultNode | undefined {
    const { headerId = this.#context.nextId(), options } = chord
    const own = placed(options, place)
    const delivery = mergeOptions(deliveryOf(options), given.options)
    const after = [...(rest?.map(fromWire) ?? []), ...(options.chain ?? [])]
    const alone = after.length > 0 ? unshared(chord.body, headerId) : chord.body
    const linked = linkAll(followedBy(alone, after), options.link, options.linkError)
    const body = freeze(
      withOptions(linked, forBody(delivery)),
      {
        ...own,
        id: own.id ?? (linked.kind === 'group' ? headerId : undefined),
        groupId: own.groupId ?? headerId,
      },
      this.#context,
    )
    const members = headerOf(chord)
    // Nothing will ever complete an empty header.
    if (members.length === 0) return this.apply(body.signature, {}, { args: [[]] })
    const header = this.#applyAll(
      members,
      { groupId: headerId, chord: body.signature },
      { ...given, options: forHeader(delivery) },
      chord.immutable,
    )
    this.countdowns.push({
      groupId: headerId,
      size: members.length,
      body: toWire(body.signature, this.#memo),
      members: header.map(treeOf),
      rootId: this.#context.rootId,
      parentId: this.#context.parentId,
    })
    follow(body.node, groupNode(headerId, header))
    return body.node
  }

  #wires(signatures: readonly Signature[] | undefined): readonly WireSignature[] | null {
    if (signatures === undefined || signatures.length === 0) return null
    return signatures.map((one) => toWire(one, this.#memo))
  }
}

/**
 * A group that is a body has the id of the header. With something after it it becomes a header itself, and two joins
 * of one id would end each other.
 */
function unshared(body: Signature, headerId: string): Signature {
  if (body.kind !== 'group' || body.options.taskId !== headerId) return body
  const { taskId: _taskId, groupId: _groupId, ...options } = body.options
  return { ...body, options }
}

/** A chord that is to start later starts its header later; the body has to wait for that anyway. */
function forBody(delivery: DeliveryOptions): DeliveryOptions {
  const { countdown: _countdown, eta: _eta, ...rest } = delivery
  return rest
}

/** The name and the wish for no result are the body's: a header without results never completes. */
function forHeader(delivery: DeliveryOptions): DeliveryOptions {
  const { shadow: _shadow, ignoreResult: _ignoreResult, ...rest } = delivery
  return rest
}
