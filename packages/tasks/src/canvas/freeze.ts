/**
 * Fixes the ids of signatures that are not sent now but carried along by those that are: the later steps
 * of a chain, the body of a chord. Who waits for them must know their ids before they exist.
 */
import { TasksError } from '../kernel/errors.ts'
import { follow, groupNode, taskNode, type ResultNode } from './result-tree.ts'
import type { Call, Chain, Chord, Group, Signature, SignatureOptions } from './signature.ts'
import { deliveryOf } from './signature.ts'
import { endInOne, flatten, membersOf, stepsOf } from './upgrade.ts'
import { linkAll } from './links.ts'

/** Where a signature stands: in which group, in the header of which chord. */
export interface Place {
  readonly id?: string | undefined
  readonly groupId?: string | undefined
  readonly groupIndex?: number | undefined
  /** The frozen body. */
  readonly chord?: Signature | undefined
}

export interface FreezeContext {
  nextId(): string
  readonly replyTo: string
  readonly rootId?: string | undefined
}

export interface Frozen {
  readonly signature: Signature
  readonly node: ResultNode
}

/**
 * What a signature says of its own place and what its surroundings say. Ids that are fixed stay; the
 * surroundings know better which chord it is and which number it has.
 */
export function placed(options: SignatureOptions, place: Place): Place {
  return {
    id: options.taskId ?? place.id,
    groupId: options.groupId ?? place.groupId,
    groupIndex: place.groupIndex ?? options.groupIndex,
    chord: place.chord ?? options.chord,
  }
}

/** Freezing twice changes nothing. Throws `TASKS_SIGNATURE_INVALID` for a chain without steps. */
export function freeze(signature: Signature, place: Place, context: FreezeContext): Frozen {
  switch (signature.kind) {
    case 'call':
      return freezeCall(signature, place, context)
    case 'chain':
      return freezeChain(signature, place, context)
    case 'group':
      return freezeGroup(signature, place, context)
    case 'chord':
      return freezeChord(signature, place, context)
  }
}

function freezeCall(call: Call, place: Place, context: FreezeContext): Frozen {
  const { id = context.nextId(), groupId, groupIndex, chord } = placed(call.options, place)
  const options: SignatureOptions = {
    ...call.options,
    taskId: id,
    replyTo: call.options.replyTo ?? context.replyTo,
    ...rootOf(context),
    ...(groupId !== undefined && { groupId }),
    ...(chord !== undefined && { chord }),
    ...(groupIndex !== undefined && { groupIndex }),
  }
  return { signature: { ...call, options }, node: taskNode(id) }
}

function rootOf({ rootId }: FreezeContext): SignatureOptions | undefined {
  return rootId === undefined ? undefined : { rootId }
}

function freezeChain(chain: Chain, place: Place, context: FreezeContext): Frozen {
  const own = placed(chain.options, place)
  const { steps, node } = freezeSteps(stepsOf(chain), own, context)
  const [only] = steps
  if (only !== undefined && steps.length === 1) return { signature: only, node }
  return { signature: { ...chain, steps, args: [], options: { taskId: node.id } }, node }
}

/** The steps one after the other; the place of the whole is the place of the last. */
export function freezeSteps(
  steps: readonly Signature[],
  place: Place,
  context: FreezeContext,
): { readonly steps: Signature[]; readonly first: ResultNode; readonly node: ResultNode } {
  const frozen = steps.map((step, at) => {
    return freeze(step, at === steps.length - 1 ? place : {}, context)
  })
  const [first] = frozen
  if (first === undefined) {
    throw new TasksError(
      'TASKS_SIGNATURE_INVALID',
      'a chain without steps has no result to wait for',
    )
  }
  let { node } = first
  for (const next of frozen.slice(1)) {
    follow(next.node, node)
    node = next.node
  }
  return { steps: frozen.map((one) => one.signature), first: first.node, node }
}

/**
 * The id of the group is put on the members only where it is the id of the surrounding group (the body of
 * a chord); otherwise they get it when they are sent.
 */
function freezeGroup(group: Group, place: Place, context: FreezeContext): Frozen {
  const own = placed(group.options, place)
  const { id = context.nextId(), chord } = own
  const isBody = own.groupId === id
  const members = membersOf(group).map((member, groupIndex) => {
    return freeze(member, { groupIndex, ...(isBody && { groupId: id }) }, context)
  })
  const options: SignatureOptions = {
    taskId: id,
    ...rootOf(context),
    ...(isBody && { groupId: id }),
    ...(isBody && chord !== undefined && { chord }),
  }
  return {
    signature: { ...group, members: members.map((one) => one.signature), args: [], options },
    node: groupNode(
      id,
      members.map((one) => one.node),
    ),
  }
}

/**
 * The header members do not carry the body here, as Celery lets them: they get it when the chord is sent,
 * and the message stays small.
 */
function freezeChord(chord: Chord, place: Place, context: FreezeContext): Frozen {
  const { headerId = context.nextId() } = chord
  const own = placed(chord.options, place)
  const { link, linkError } = chord.options
  const id = own.id ?? (chord.body.kind === 'group' ? headerId : undefined)
  const body = freeze(linkAll(chord.body, link, linkError), { ...own, id }, context)
  const header = headerOf(chord).map((member, groupIndex) =>
    freeze(member, { groupIndex }, context),
  )
  follow(
    body.node,
    groupNode(
      headerId,
      header.map((one) => one.node),
    ),
  )
  return {
    signature: {
      ...chord,
      headerId,
      header: header.map((one) => one.signature),
      body: body.signature,
      options: { ...deliveryOf(chord.options), ...rootOf(context) },
    },
    node: body.node,
  }
}

/** Header members as they are sent and counted, one result each. */
export function headerOf(chord: Chord): Signature[] {
  return flatten(chord.header).map(endInOne)
}
