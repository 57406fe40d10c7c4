/**
 * Message → task. Headers alone tell what is to be done with a task (`decodeMeta`), the decoded body what
 * it is called with (`decodePayload`); old messages have everything in the body (`decodeProtocol1`).
 * Nothing here throws: a message that is no task says why, and is then parked.
 */
import type { Headers, Properties } from '@celeriac/messaging'
import { describe, describeArgs, describeKwargs } from '../kernel/describe.ts'
import { emptyEmbed, type Embed, type TaskMeta, type TaskPayload } from './task-message.ts'
import { parseIso } from './times.ts'

export type MalformedReason =
  /** No `task` header; the body may still be protocol 1. */
  | 'no-task'
  | 'no-id'
  | 'bad-eta'
  | 'bad-expires'
  | 'bad-body'
  | 'bad-args'
  | 'bad-kwargs'
  | 'bad-embed'

export interface Malformed {
  readonly ok: false
  readonly reason: MalformedReason
  /** A sentence: what was expected and what was found. */
  readonly detail: string
}

export type MetaResult = { readonly ok: true; readonly meta: TaskMeta } | Malformed
export type PayloadResult = { readonly ok: true; readonly payload: TaskPayload } | Malformed
export type TaskResult =
  { readonly ok: true; readonly meta: TaskMeta; readonly payload: TaskPayload } | Malformed

type Record_ = Readonly<Record<string, unknown>>

/** Reads protocol 2 headers. `no-task` means: decode the body and try `decodeProtocol1`. */
export function decodeMeta(headers: Headers | null, properties: Properties): MetaResult {
  // Headers are null in some hand-made envelopes.
  if (headers === null) return noTask
  const source: Record_ = headers
  const task = source['task']
  if (typeof task !== 'string' || task === '') return noTask
  return metaOf(source, task, customHeaders(source), properties)
}

const noTask: Malformed = Object.freeze({
  ok: false,
  reason: 'no-task',
  detail: 'the message has no `task` header',
})

/** The part both protocols share: most names are the same in the headers and in the old body. */
function metaOf(
  source: Record_,
  task: string,
  headers: Record_,
  properties: Properties,
): MetaResult {
  const id = source['id']
  if (typeof id !== 'string' || id === '') {
    return malformed('no-id', `the task ${task} must have a text as its id`, id)
  }
  const etaMs = timeOf(source['eta'])
  if (etaMs === null) return malformed('bad-eta', 'eta must be ISO 8601 text', source['eta'])
  const expiresMs = timeOf(source['expires'])
  if (expiresMs === null) {
    return malformed('bad-expires', 'expires must be ISO 8601 text', source['expires'])
  }
  const limits = source['timelimit']
  const [hard, soft] = Array.isArray(limits) ? (limits as unknown[]) : noLimits
  const stamped = source['stamped_headers']
  const stamps = source['stamps']
  return {
    ok: true,
    meta: {
      id,
      task,
      shadow: textOf(source['shadow']),
      etaMs,
      expiresMs,
      groupId: textOf(source['group']),
      groupIndex: numberOf(source['group_index']),
      retries: numberOf(source['retries']) ?? 0,
      hardLimit: numberOf(hard),
      softLimit: numberOf(soft),
      rootId: textOf(source['root_id']) ?? id,
      parentId: textOf(source['parent_id']),
      argsRepr: textOf(source['argsrepr']) ?? '',
      kwargsRepr: textOf(source['kwargsrepr']) ?? '',
      origin: textOf(source['origin']),
      ignoreResult: source['ignore_result'] === true,
      replacedTaskNesting: numberOf(source['replaced_task_nesting']) ?? 0,
      stampedHeaders: Array.isArray(stamped) ? (stamped as readonly string[]) : undefined,
      stamps: isMapping(stamps) ? stamps : empty,
      headers,
      correlationId: properties.correlationId,
      replyTo: properties.replyTo,
      priority: properties.priority,
    },
  }
}

const empty: Record_ = Object.freeze({})
const noLimits: readonly unknown[] = Object.freeze([])

/** Headers of the protocol, and those that brokers and codecs put there for themselves. */
const notCustom = new Set([
  'lang',
  'task',
  'id',
  'shadow',
  'eta',
  'expires',
  'group',
  'group_index',
  'retries',
  'timelimit',
  'root_id',
  'parent_id',
  'argsrepr',
  'kwargsrepr',
  'origin',
  'ignore_result',
  'replaced_task_nesting',
  'stamped_headers',
  'stamps',
  'compression',
  'redelivered',
  'x-death',
  'x-first-death-exchange',
  'x-first-death-queue',
  'x-first-death-reason',
  'x-last-death-exchange',
  'x-last-death-queue',
  'x-last-death-reason',
  'x-delivery-count',
  'x-acquired-count',
  'x-opt-enqueue-time',
])

function customHeaders(headers: Record_): Record_ {
  let custom: Record<string, unknown> | undefined
  for (const name in headers) {
    if (notCustom.has(name)) continue
    custom ??= {}
    custom[name] = headers[name]
  }
  return custom ?? empty
}

/** Reads the decoded body of a protocol 2 message: `[args, kwargs, embed]`. */
export function decodePayload(body: unknown): PayloadResult {
  if (!Array.isArray(body) || body.length !== 3) {
    return malformed('bad-body', 'the body must be an array of args, kwargs and embed', body)
  }
  const [args, kwargs, embed] = body as [unknown, unknown, unknown]
  return payloadOf(args, kwargs, embed)
}

function payloadOf(args: unknown, kwargs: unknown, embed: unknown): PayloadResult {
  if (!Array.isArray(args)) return malformed('bad-args', 'args must be an array', args)
  // Null stands for "none" in messages of other clients.
  const named = kwargs === null ? empty : kwargs
  if (!isMapping(named)) return malformed('bad-kwargs', 'kwargs must be a mapping', kwargs)
  if (embed === null) return { ok: true, payload: { args, kwargs: named, embed: emptyEmbed } }
  if (!isMapping(embed)) {
    return malformed('bad-embed', 'what follows the task must be a mapping', embed)
  }
  const { callbacks, errbacks, chain, chord } = embed
  // Dropping what cannot be read would lose the rest of a workflow without a word.
  for (const list of [callbacks, errbacks, chain]) {
    if (!isNone(list) && !isMapping(list) && !Array.isArray(list)) {
      return malformed('bad-embed', 'callbacks, errbacks and chain must be lists', list)
    }
  }
  if (!isNone(chord) && !isMapping(chord)) {
    return malformed('bad-embed', 'the body of a chord must be a signature', chord)
  }
  return {
    ok: true,
    payload: {
      args,
      kwargs: named,
      embed: {
        callbacks: listOf(callbacks),
        errbacks: listOf(errbacks),
        chain: listOf(chain),
        chord: (chord ?? null) as Embed['chord'],
      },
    },
  }
}

/** Entries are checked when they are applied. */
function listOf(value: unknown): Embed['callbacks'] {
  if (isNone(value)) return null
  return (Array.isArray(value) ? value : [value]) as unknown as NonNullable<Embed['callbacks']>
}

/**
 * Reads the decoded body of a message without a `task` header. Times without an offset are read as UTC,
 * also where the body says `utc: false`: the sender's zone is not in the message.
 */
export function decodeProtocol1(body: unknown, properties: Properties): TaskResult {
  if (!isMapping(body)) return malformed('no-task', 'the body must be a mapping', body)
  const task = body['task']
  if (typeof task !== 'string' || task === '') {
    return malformed('no-task', 'the body must name a task', task)
  }
  const { args = [], kwargs = empty, callbacks, errbacks, chord } = body
  const read = payloadOf(args, kwargs, { callbacks, errbacks, chord })
  if (!read.ok) return read
  const { payload } = read
  const shown = metaOf(
    {
      ...body,
      group: body['group'] ?? body['taskset'],
      argsrepr: describeArgs(payload.args),
      kwargsrepr: describeKwargs(payload.kwargs),
    },
    task,
    empty,
    properties,
  )
  return shown.ok ? { ok: true, meta: shown.meta, payload } : shown
}

/** Undefined for none, null for something that is no time. An empty text counts as none. */
function timeOf(value: unknown): number | undefined | null {
  if (isNone(value) || value === '') return undefined
  if (typeof value === 'string') return parseIso(value) ?? null
  // AMQP tables have a type for times.
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.getTime()
  return null
}

function isNone(value: unknown): value is null | undefined {
  return value === null || value === undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  // AMQP tables have 64-bit integers.
  return typeof value === 'bigint' ? Number(value) : undefined
}

function isMapping(value: unknown): value is Record_ {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return !(value instanceof Date) && !(value instanceof Uint8Array)
}

function malformed(reason: MalformedReason, expected: string, found: unknown): Malformed {
  const shown = describe(found, { maxLength: 100 })
  return { ok: false, reason, detail: `${expected}, not ${shown}` }
}
