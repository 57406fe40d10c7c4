/** What a signature is published as, in a form in which captured and own messages can be compared. */
import type { Plan } from '../../src/canvas/plan.ts'
import { outgoing } from '../../src/canvas/outgoing.ts'
import { encodeTask } from '../../src/protocol/encode.ts'
import type { Captured } from '../vectors.ts'

export const nowMs = 1_795_160_000_000

/** Ids that tell where they come from in a failing test. */
export function counter(prefix = 'id'): () => string {
  let last = 0
  return () => `${prefix}-${(last += 1)}`
}

/** The messages of a plan, encoded and back from JSON. */
export function published(plan: Plan): Captured[] {
  return plan.send.map((call) => {
    const task = outgoing(call, { nowMs, origin: 'gen1@host.example' })
    return JSON.parse(JSON.stringify(encodeTask(task, nowMs))) as Captured
  })
}

/**
 * Reduces messages (and whatever else has ids in it) to what must be equal: ids become numbers in the
 * order of their appearance, times a mark; what differs on purpose is taken out, on both sides.
 */
export function comparable(value: unknown): unknown {
  return numbered(reduced(value))
}

type Mapping = Record<string, unknown>

function reduced(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reduced)
  if (typeof value !== 'object' || value === null) return value
  const mapping = value as Mapping
  if ('headers' in mapping && 'properties' in mapping) return reducedMessage(mapping)
  if ('subtask_type' in mapping) return reducedSignature(mapping)
  return Object.fromEntries(Object.entries(mapping).map(([name, one]) => [name, reduced(one)]))
}

function reducedMessage({ headers, properties, body }: Mapping): Mapping {
  const { lang: _lang, origin: _origin, argsrepr: _a, kwargsrepr: _k, ...rest } = headers as Mapping
  return {
    headers: reduced(rest),
    // On virtual transports the priority is always there.
    properties: { priority: 0, ...(properties as Mapping) },
    body: reduced(body),
  }
}

function reducedSignature(signature: Mapping): Mapping {
  const options: Mapping = {}
  for (const [name, value] of Object.entries(signature['options'] as Mapping)) {
    // "Not set" and null are the same; the others only mean something inside a Python process.
    if (value === null || name === 'add_to_parent' || name === 'immutable') continue
    // They name a chain by its last step in some places and by null in others.
    if (name === 'task_id' && signature['subtask_type'] === 'chain') continue
    options[name] = reduced(value)
  }
  const kwargs = signature['kwargs'] as Mapping
  const chord = signature['subtask_type'] === 'chord'
  return {
    ...signature,
    args: reduced(signature['args']),
    options,
    kwargs: reduced(chord ? { ...kwargs, header: withoutBody(kwargs['header']) } : kwargs),
  }
}

/** Their header members repeat the body inside a chord that is not sent yet; ours get it when it is. */
function withoutBody(header: unknown): unknown {
  if (Array.isArray(header)) return header.map(withoutBody)
  const { options, kwargs, ...rest } = header as Mapping
  const { chord: _chord, ...kept } = options as Mapping
  const { tasks } = kwargs as Mapping
  const own = Array.isArray(tasks)
    ? { ...(kwargs as Mapping), tasks: tasks.map(withoutBody) }
    : kwargs
  return { ...rest, kwargs: own, options: kept }
}

const anId = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(id|step)-\d+)$/
const aTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$/

function numbered(value: unknown, seen = new Map<string, string>()): unknown {
  if (typeof value === 'string') {
    if (aTime.test(value)) return '<time>'
    if (!anId.test(value)) return value
    const known = seen.get(value) ?? `#${seen.size}`
    seen.set(value, known)
    return known
  }
  if (Array.isArray(value)) return value.map((one) => numbered(one, seen))
  if (typeof value !== 'object' || value === null) return value
  const names = Object.keys(value).sort()
  return Object.fromEntries(names.map((name) => [name, numbered((value as Mapping)[name], seen)]))
}
