/** Records ⇄ rows of Celery's table of tasks: values are pickled whatever serializer results have. */
import { plainGlobals, readPickle, writePickle } from '@celeriac/messaging/internal'
import { MessagingError, type PickleGlobal } from '@celeriac/messaging'
import type { Encoded, ResultCodec } from '../../backend/result-codec.ts'
import { recordFrom, type ResultRecord } from '../../backend/result-record.ts'
import { TasksError } from '../../kernel/errors.ts'
import { exceptionStates } from '../../kernel/states.ts'

/** A row without its number; dates are `YYYY-MM-DD HH:MM:SS.ffffff` in UTC. */
export interface TaskRow {
  readonly task_id: string
  readonly status: string | null
  readonly result: Uint8Array | null
  readonly date_done: string | null
  readonly traceback: string | null
  readonly name?: string | null
  /** What the serializer of results writes. */
  readonly args?: Uint8Array | null
  readonly kwargs?: Uint8Array | null
  readonly worker?: string | null
  readonly retries?: number | null
  readonly queue?: string | null
}

/** Longest id, in characters; the columns of names have the same width. */
const longest = 155

/** Throws when the value cannot be carried, or `MESSAGING_TOO_LARGE`. */
export function rowOf(record: ResultRecord, codec: ResultCodec): TaskRow {
  const { taskId, status, result, traceback, dateDone, extended } = record
  if (Array.from(taskId).length > longest) {
    throw tooLarge(`an id of a task has at most ${longest} characters, found '${taskId}'`)
  }
  return {
    task_id: taskId,
    status,
    result: result === null || result === undefined ? null : writePickle(result),
    date_done: utcText(dateDone),
    traceback: traceback === null ? null : withoutNul(traceback),
    name: shortened(extended?.name),
    args: extended ? bytesOf(codec.encode(extended.args)) : null,
    kwargs: extended ? bytesOf(codec.encode(extended.kwargs)) : null,
    worker: shortened(extended?.worker),
    retries: extended?.retries ?? null,
    queue: shortened(extended?.queue),
  }
}

/** Throws `TASKS_RESULT_INVALID` when it is no record. */
export function recordOf(row: TaskRow, codec: ResultCodec): ResultRecord {
  const { result, args, kwargs, date_done: dateDone, ...plain } = row
  const status = row.status ?? 'PENDING'
  return recordFrom({
    ...plain,
    status,
    result: result === null ? null : valueOf(result, exceptionStates.has(status)),
    date_done: dateDone === null ? null : `${dateDone.replace(' ', 'T')}+00:00`,
    ...(args && { args: codec.decode(args) }),
    ...(kwargs && { kwargs: codec.decode(kwargs) }),
  })
}

export function badRecord(error: unknown): TasksError {
  const why = error instanceof Error ? error.message : String(error)
  return new TasksError('TASKS_RESULT_INVALID', `a stored result cannot be read: ${why}`, {
    cause: error,
  })
}

/** `code` is one that running the task again does not mend. */
export function tooLarge(why: string, cause?: unknown): MessagingError {
  return new MessagingError('MESSAGING_TOO_LARGE', 'message', why, { cause })
}

function valueOf(bytes: Uint8Array, isException: boolean): unknown {
  try {
    return readPickle(bytes, isException ? exceptionGlobals : plainGlobals)
  } catch (error) {
    throw badRecord(error)
  }
}

/** With the serializer `pickle` Python keeps exceptions as they are: their class and arguments are read. */
class ExceptionGlobals extends Map<string, PickleGlobal> {
  override get(name: string): PickleGlobal {
    const plain = super.get(name)
    if (plain) return plain
    if (name === 'celery.utils.serialization.UnpickleableExceptionWrapper') {
      return ([module, type, args]) => exception(module, type, args)
    }
    const dot = name.lastIndexOf('.')
    return (args) => exception(name.slice(0, dot), name.slice(dot + 1), args)
  }
}

const exceptionGlobals = new ExceptionGlobals(plainGlobals)

function exception(module: unknown, type: unknown, args: unknown): object {
  return { exc_type: type, exc_message: args, exc_module: module }
}

function bytesOf(data: Encoded): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data) : data
}

/** PostgreSQL takes no NUL in a text. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '\uFFFD')
}

function shortened(text: string | undefined): string | null {
  if (text === undefined) return null
  return text.length <= longest
    ? withoutNul(text)
    : Array.from(withoutNul(text)).slice(0, longest).join('')
}

/** ISO 8601 with an offset (UTC without one) → UTC as databases write it; microseconds stay. */
export function utcText(iso: string | null): string | null {
  const [, upToSecond, fraction = '', zone = ''] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?$/.exec(iso ?? '') ?? []
  if (upToSecond === undefined) return null
  const time = new Date(upToSecond + (zone || 'Z'))
  if (Number.isNaN(time.getTime())) return null
  const micros = fraction.slice(0, 6).padEnd(6, '0')
  return `${time.toISOString().slice(0, 19).replace('T', ' ')}.${micros}`
}
