/** State, value, failure and children of one execution ⇄ the mapping Celery's stores keep. Pure. */
import { readTree, type ResultTree } from '../canvas/result-tree.ts'
import { TasksError } from '../kernel/errors.ts'

export interface ResultRecord {
  readonly taskId: string
  readonly status: string
  /** The value, or for failures and retries the exception mapping of protocol/failures.ts. */
  readonly result: unknown
  readonly traceback: string | null
  readonly children: readonly ResultTree[] | null
  /** ISO 8601 text; null while the task is not done. */
  readonly dateDone: string | null
  readonly groupId?: string | undefined
  readonly parentId?: string | undefined
  readonly extended?: ExtendedRecord | undefined
}

/** What `resultExtended` adds. */
export interface ExtendedRecord {
  readonly name: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly worker: string
  readonly retries: number
  readonly queue: string
  readonly stampedHeaders?: readonly string[] | undefined
  readonly stamps?: Readonly<Record<string, unknown>> | undefined
}

/** As it is written: Celery's names. */
export function valuesOf(record: ResultRecord): Record<string, unknown> {
  const { taskId, status, result, traceback, children, dateDone, groupId, parentId } = record
  return {
    // First on purpose: stores look for a stored SUCCESS at the beginning of the text.
    status,
    result: result ?? null,
    traceback,
    children,
    date_done: dateDone,
    ...(groupId !== undefined && { group_id: groupId }),
    ...(parentId !== undefined && { parent_id: parentId }),
    ...(record.extended && extendedValues(record.extended)),
    task_id: taskId,
  }
}

function extendedValues({ stampedHeaders, stamps, ...plain }: ExtendedRecord): object {
  return stampedHeaders === undefined
    ? plain
    : { ...plain, stamped_headers: stampedHeaders, ...stamps }
}

/** Throws `TASKS_RESULT_INVALID` when the value is no record. */
export function recordFrom(value: unknown): ResultRecord {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('no mapping')
  const stored = value as Readonly<Record<string, unknown>>
  const { status } = stored
  if (typeof status !== 'string') throw invalid('it has no status')
  const text = (name: string): string | undefined =>
    typeof stored[name] === 'string' ? stored[name] : undefined
  const children = stored['children']
  const groupId = text('group_id')
  const parentId = text('parent_id')
  const extended = extendedFrom(stored)
  return {
    taskId: text('task_id') ?? '',
    status,
    result: stored['result'] ?? null,
    traceback: text('traceback') ?? null,
    children: Array.isArray(children)
      ? children.map(readTree).filter((tree) => tree !== undefined)
      : null,
    dateDone: text('date_done') ?? null,
    ...(groupId !== undefined && { groupId }),
    ...(parentId !== undefined && { parentId }),
    ...(extended && { extended }),
  }
}

function extendedFrom(stored: Readonly<Record<string, unknown>>): ExtendedRecord | undefined {
  const { name, args, kwargs, worker, retries, queue, stamped_headers: stamped } = stored
  if (typeof name !== 'string') return undefined
  const names = Array.isArray(stamped) ? (stamped as readonly string[]) : undefined
  return {
    name,
    args: Array.isArray(args) ? (args as unknown[]) : [],
    kwargs:
      typeof kwargs === 'object' && kwargs !== null ? (kwargs as Record<string, unknown>) : {},
    worker: typeof worker === 'string' ? worker : '',
    retries: Number(retries ?? 0),
    queue: typeof queue === 'string' ? queue : '',
    ...(names && {
      stampedHeaders: names,
      stamps: Object.fromEntries(names.map((one) => [one, stored[one] ?? null])),
    }),
  }
}

function invalid(why: string): TasksError {
  return new TasksError('TASKS_RESULT_INVALID', `a stored result cannot be read: ${why}`)
}
