/** Signature ⇄ the dictionary it travels as. Options keep their wire names out there, ours in here. */
import { TasksError } from '../kernel/errors.ts'
import { describe } from '../kernel/describe.ts'
import { formatIso } from '../protocol/times.ts'
import type { WireSignature } from '../protocol/task-message.ts'
import {
  clone,
  deliveryOf,
  type Chord,
  type Signature,
  type SignatureOptions,
} from './signature.ts'

type Mapping = Readonly<Record<string, unknown>>
type PlainName = Exclude<keyof SignatureOptions, 'link' | 'linkError' | 'chain' | 'chord' | 'extra'>

/** Options that are written as they are. */
const wireNames = {
  taskId: 'task_id',
  groupId: 'group_id',
  groupIndex: 'group_index',
  rootId: 'root_id',
  parentId: 'parent_id',
  replyTo: 'reply_to',
  countdown: 'countdown',
  eta: 'eta',
  expires: 'expires',
  queue: 'queue',
  exchange: 'exchange',
  routingKey: 'routing_key',
  priority: 'priority',
  serializer: 'serializer',
  compression: 'compression',
  deliveryMode: 'delivery_mode',
  mandatory: 'mandatory',
  retry: 'retry',
  timeLimit: 'time_limit',
  softTimeLimit: 'soft_time_limit',
  ignoreResult: 'ignore_result',
  shadow: 'shadow',
  argsRepr: 'argsrepr',
  kwargsRepr: 'kwargsrepr',
  retries: 'retries',
  replacedTaskNesting: 'replaced_task_nesting',
  headers: 'headers',
  stampedHeaders: 'stamped_headers',
} as const satisfies Record<PlainName, string>

const ourNames = new Map(
  Object.entries(wireNames).map(([ours, theirs]) => [theirs as string, ours]),
)
ourNames
  .set('link', 'link')
  .set('link_error', 'linkError')
  .set('chain', 'chain')
  .set('chord', 'chord')

/** Options that only mean something inside a Python process; sent on, they would become properties. */
const dropped = new Set(['add_to_parent', 'immutable', 'task_type', 'result_cls', 'route_name'])

/** What others wrote conversions into before; shared bodies of chords are converted once. */
export type WireMemo = Map<Signature, WireSignature>

/** Arguments are shared with the signature, not copied. */
export function toWire(signature: Signature, memo?: WireMemo): WireSignature {
  const known = memo?.get(signature)
  if (known !== undefined) return known
  const wire = write(signature, memo)
  memo?.set(signature, wire)
  return wire
}

function write(signature: Signature, memo: WireMemo | undefined): WireSignature {
  const { args, immutable } = signature
  const options = writeOptions(signature.options, memo)
  const all = (signatures: readonly Signature[]): WireSignature[] =>
    signatures.map((one) => toWire(one, memo))
  const workflow = (type: string, kwargs: Mapping): WireSignature => {
    return { task: `celery.${type}`, args, kwargs, options, subtask_type: type, immutable }
  }
  switch (signature.kind) {
    case 'call': {
      const { task, kwargs, subtaskType } = signature
      return { task, args, kwargs, options, subtask_type: subtaskType, immutable }
    }
    case 'chain':
      return workflow('chain', { tasks: all(signature.steps) })
    case 'group':
      return workflow('group', { tasks: all(signature.members) })
    case 'chord': {
      const { headerId, body } = signature
      const header = all(signature.header)
      if (headerId !== undefined) options['task_id'] = headerId
      return workflow('chord', {
        kwargs: {},
        header: headerId === undefined ? header : headerGroup(header, headerId),
        body: toWire(body, memo),
      })
    }
  }
}

function headerGroup(tasks: readonly WireSignature[], headerId: string): WireSignature {
  return {
    task: 'celery.group',
    args: [],
    kwargs: { tasks },
    options: { task_id: headerId },
    subtask_type: 'group',
    immutable: false,
  }
}

function writeOptions(
  options: SignatureOptions,
  memo: WireMemo | undefined,
): Record<string, unknown> {
  const { link, linkError, chain, chord, extra, ...plain } = options
  const wire: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(plain)) {
    if (value === undefined) continue
    wire[wireNames[name as PlainName]] = value instanceof Date ? formatIso(value.getTime()) : value
  }
  for (const [name, list] of [
    ['link', link],
    ['link_error', linkError],
    ['chain', chain],
  ] as const) {
    if (list !== undefined) wire[name] = list.map((one) => toWire(one, memo))
  }
  if (chord !== undefined) wire['chord'] = toWire(chord, memo)
  return extra === undefined ? wire : Object.assign(wire, extra)
}

/**
 * Reads what another program has written, with the parts it left out filled in. Throws
 * `TASKS_SIGNATURE_INVALID` for what is no signature.
 */
export function fromWire(wire: unknown): Signature {
  if (!isMapping(wire)) throw notASignature(wire)
  const { task, kwargs: named } = wire
  if (typeof task !== 'string' || task === '') throw notASignature(wire)
  const args = Array.isArray(wire['args']) ? (wire['args'] as unknown[]) : []
  const kwargs = isMapping(named) ? named : {}
  const type = typeof wire['subtask_type'] === 'string' ? wire['subtask_type'] : null
  const base = {
    args,
    options: isMapping(wire['options']) ? readOptions(wire['options']) : {},
    immutable: wire['immutable'] === true,
  }
  switch (type ?? task) {
    case 'chain':
    case 'celery.chain':
      return { kind: 'chain', steps: readAll(kwargs['tasks']), ...base }
    case 'group':
    case 'celery.group':
      return { kind: 'group', members: readAll(kwargs['tasks']), ...base }
    case 'chord':
    case 'celery.chord':
      return readChord(kwargs, base)
    default:
      return { kind: 'call', task, kwargs, subtaskType: type, ...base }
  }
}

type Base = Pick<Chord, 'args' | 'options' | 'immutable'>

/** The header is a group or a bare list; what a group says of all its members goes to each of them. */
function readChord(kwargs: Mapping, base: Base): Chord {
  const body = fromWire(kwargs['body'])
  const header = kwargs['header']
  if (Array.isArray(header)) return { kind: 'chord', header: readAll(header), body, ...base }
  const group = fromWire(header)
  if (group.kind !== 'group') throw notASignature(header)
  // Ids and the body in the group's options are fixed again when the chord is sent.
  const { taskId } = group.options
  const shared = { args: group.args, options: deliveryOf(group.options) }
  const members = group.members.map((one) => clone(one, shared))
  const { taskId: ownId, ...options } = base.options
  // Python keeps the id of the header there; any other id is one for the result.
  if (ownId !== undefined && ownId !== taskId)
    return { kind: 'chord', header: members, body, ...base }
  const id = taskId ?? ownId
  return { kind: 'chord', header: members, body, ...base, options, ...(id && { headerId: id }) }
}

function readAll(list: unknown): Signature[] {
  if (!Array.isArray(list)) throw notASignature(list)
  return list.map(fromWire)
}

function readOptions(wire: Mapping): SignatureOptions {
  const options: Record<string, unknown> = {}
  let extra: Record<string, unknown> | undefined
  for (const [theirs, value] of Object.entries(wire)) {
    if (value === null || value === undefined || dropped.has(theirs)) continue
    const ours = ourNames.get(theirs)
    if (ours === undefined) (extra ??= {})[theirs] = value
    else if (ours === 'chord') options[ours] = fromWire(value)
    else if (ours === 'link' || ours === 'linkError' || ours === 'chain') {
      options[ours] = (Array.isArray(value) ? value : [value]).map(fromWire)
    } else options[ours] = value
  }
  const mode = options['deliveryMode']
  if (typeof mode === 'string') options['deliveryMode'] = mode === 'transient' ? 1 : 2
  if (extra !== undefined) options['extra'] = extra
  return options
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function notASignature(found: unknown): TasksError {
  return new TasksError(
    'TASKS_SIGNATURE_INVALID',
    `expected a signature with the name of its task, found ${describe(found, { maxLength: 200 })}`,
  )
}
