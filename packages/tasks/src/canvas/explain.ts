/**
 * What a workflow would do, without sending anything: its parts, how many messages it takes and how large they
 * are, told by playing it through with empty results. Pure.
 */
import { decodeMeta } from '../protocol/decode.ts'
import { encodeTask } from '../protocol/encode.ts'
import { chordBody } from './join.ts'
import { next } from './next.ts'
import { outgoing } from './outgoing.ts'
import { plan, type PlannedCall } from './plan.ts'
import type { Signature } from './signature.ts'
import { membersOf, stepsOf, unrollChunks } from './upgrade.ts'

/** A part of a workflow, as it is run. */
export interface ExplainedPart {
  readonly kind: 'task' | 'chain' | 'group' | 'chord' | 'header' | 'body' | 'link' | 'errback'
  /** Name of the task, or of the kind. */
  readonly name: string
  readonly parts: readonly ExplainedPart[]
}

export interface Explanation {
  readonly graph: ExplainedPart
  /** Messages that leave when it is sent, and all that are sent until it has succeeded. */
  readonly messages: { readonly now: number; readonly all: number }
  /** Bytes of their bodies and headers, as JSON, without results. */
  readonly bytes: { readonly now: number; readonly all: number; readonly largest: number }
  /** Joins of chords. */
  readonly joins: number
  readonly tasks: ReadonlyMap<string, number>
  readonly warnings: readonly string[]
  /** The graph and the numbers as lines of text. */
  toString(): string
}

export interface ExplainContext {
  /** False for tasks that nobody here knows. */
  isKnown(task: string): boolean
  ignoresResult(task: string): boolean
  /** How the result backend joins chords. */
  readonly joins: 'count' | 'poll' | 'none'
  /** Bytes of a body as it would be written. */
  sizeOf(value: unknown): number
}

/** Most messages that are played through. */
const mostMessages = 100_000
/** A message above this is worth a word. */
const largeBytes = 128 * 1024
const builtin = /^celery\./

/** Throws `TASKS_SIGNATURE_INVALID` for what cannot be run. */
export function explain(signature: Signature, context: ExplainContext): Explanation {
  const played = play(signature, context)
  const graph = partOf(signature)
  const warnings = warningsOf(played, context)
  const { now, all, bytesNow, bytesAll, largest, joins, tasks } = played
  return {
    graph,
    messages: { now, all },
    bytes: { now: bytesNow, all: bytesAll, largest },
    joins,
    tasks,
    warnings,
    toString: () =>
      [
        ...linesOf(graph, ''),
        `${now} ${now === 1 ? 'message' : 'messages'} now (${bytesNow} bytes), ${all} in all (${bytesAll} bytes), the largest of ${largest} bytes; joins: ${joins}`,
        ...warnings.map((one) => `! ${one}`),
      ].join('\n'),
  }
}

interface Played {
  now: number
  all: number
  bytesNow: number
  bytesAll: number
  largest: number
  joins: number
  isCut: boolean
  readonly tasks: Map<string, number>
  /** Tasks that are header members of chords. */
  readonly headers: Set<string>
}

function play(signature: Signature, { sizeOf }: ExplainContext): Played {
  let ids = 0
  const nextId = (): string => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`
  const replyTo = nextId()
  const played: Played = {
    now: 0,
    all: 0,
    bytesNow: 0,
    bytesAll: 0,
    largest: 0,
    joins: 0,
    isCut: false,
    tasks: new Map(),
    headers: new Set(),
  }
  const waiting: PlannedCall[] = []
  const sizes = new Map<string, number>()
  const begin = ({ send, countdowns }: ReturnType<typeof plan>): void => {
    waiting.push(...send)
    for (const { groupId, size } of countdowns) {
      played.joins++
      sizes.set(groupId, size)
    }
  }
  begin(plan(signature, { nextId, replyTo }))
  played.now = waiting.length
  for (let at = 0; at < waiting.length; at++) {
    if (at >= mostMessages) {
      played.isCut = true
      break
    }
    const call = waiting[at]!
    const task = outgoing(call, { nowMs: 0, origin: 'gen0@here' })
    const { headers, properties, body } = encodeTask(task, 0)
    const bytes = sizeOf(body) + sizeOf(headers)
    played.all++
    played.bytesAll += bytes
    if (at < played.now) played.bytesNow += bytes
    played.largest = Math.max(played.largest, bytes)
    played.tasks.set(call.task, (played.tasks.get(call.task) ?? 0) + 1)
    if (call.embed.chord) played.headers.add(call.task)
    const meta = decodeMeta(headers, properties)
    if (!meta.ok) continue
    const { args, kwargs, embed } = call
    const decided = next(
      {
        meta: meta.meta,
        payload: { args, kwargs, embed },
        outcome: { kind: 'success', value: null },
      },
      { nextId, replyTo },
    )
    for (const one of decided.plans) begin(one)
    for (const part of decided.parts) {
      const left = (sizes.get(part.groupId) ?? 1) - 1
      sizes.set(part.groupId, left)
      const { taskId: parentId, rootId, body: then } = part
      if (left === 0) begin(chordBody(then, [], { nextId, replyTo, parentId, rootId }))
    }
  }
  return played
}

function warningsOf(played: Played, context: ExplainContext): string[] {
  const { isCut, tasks, headers, joins, largest, bytesAll, all } = played
  const warnings: string[] = []
  if (isCut) warnings.push(`only the first ${mostMessages} messages were looked at`)
  for (const task of tasks.keys()) {
    if (!builtin.test(task) && !context.isKnown(task))
      warnings.push(`no task '${task}' is registered here: a worker somewhere has to know it`)
  }
  for (const task of headers) {
    if (context.ignoresResult(task))
      warnings.push(
        `'${task}' ignores its result, but stands in the header of a chord, which needs it`,
      )
  }
  if (joins > 0 && context.joins === 'none')
    warnings.push(
      'it has chords, which the configured result backend cannot join: sending it will fail',
    )
  if (largest > largeBytes)
    warnings.push(
      `its largest message has ${largest} bytes; what every message carries along (the rest of a chain, the body of a chord) could be smaller`,
    )
  if (all > 20 && bytesAll / all > 16 * 1024)
    warnings.push(
      `its ${all} messages have ${Math.round(bytesAll / all)} bytes on average, since each carries what comes after it; with the setting taskCanvasMaxBytes the result backend keeps that`,
    )
  return warnings
}

/** The signature in the shape in which it is run. */
function partOf(signature: Signature): ExplainedPart {
  const one = signature.kind === 'call' ? unrollChunks(signature) : signature
  switch (one.kind) {
    case 'call':
      return { kind: 'task', name: one.task, parts: linksOf(one) }
    case 'group':
      return { kind: 'group', name: 'group', parts: membersOf(one).map(partOf) }
    case 'chain': {
      const steps = stepsOf(one)
      const [only] = steps
      if (steps.length === 1) return partOf(only!)
      return { kind: 'chain', name: 'chain', parts: steps.map(partOf) }
    }
    case 'chord':
      return {
        kind: 'chord',
        name: 'chord',
        parts: [
          { kind: 'header', name: 'header', parts: one.header.map(partOf) },
          { kind: 'body', name: 'body', parts: [partOf(one.body)] },
        ],
      }
  }
}

function linksOf({ options: { link = [], linkError = [] } }: Signature): ExplainedPart[] {
  return [
    ...link.map((one): ExplainedPart => ({ kind: 'link', name: 'then', parts: [partOf(one)] })),
    ...linkError.map((one): ExplainedPart => ({
      kind: 'errback',
      name: 'on error',
      parts: [partOf(one)],
    })),
  ]
}

/** Equal neighbours are shown once, with their number. */
function linesOf({ name, parts }: ExplainedPart, indent: string): string[] {
  const lines = [`${indent}${name}`]
  const inner = `${indent}  `
  for (let i = 0; i < parts.length;) {
    const shown = linesOf(parts[i]!, inner)
    let times = 1
    while (i + times < parts.length && linesOf(parts[i + times]!, inner).join() === shown.join())
      times++
    if (times > 1) shown[0] = `${shown[0]!} × ${times}`
    lines.push(...shown)
    i += times
  }
  return lines
}
