/** State, value, failure and children of one execution ⇄ the JSON text Celery's stores keep. Pure. */
import { parseJson, stringifyJson } from '@celeriac/messaging/internal'
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
}

/** Throws what the JSON writer throws when the result cannot be carried. */
export function encodeRecord(record: ResultRecord): string {
  const { taskId, status, result, traceback, children, dateDone, groupId, parentId } = record
  return stringifyJson({
    // First on purpose: stores look for a stored SUCCESS at the beginning of the text.
    status,
    result: result ?? null,
    traceback,
    children,
    date_done: dateDone,
    ...(groupId !== undefined && { group_id: groupId }),
    ...(parentId !== undefined && { parent_id: parentId }),
    ...record.extended,
    task_id: taskId,
  })
}

/** Throws `TASKS_RESULT_INVALID` when the text is no record. */
export function decodeRecord(text: string): ResultRecord {
  let stored: Record<string, unknown>
  try {
    stored = parseJson(text) as Record<string, unknown>
    if (typeof stored !== 'object' || stored === null) throw new Error('not a JSON object')
    if (typeof stored['status'] !== 'string') throw new Error('it has no status')
  } catch (error) {
    throw new TasksError(
      'TASKS_RESULT_INVALID',
      `a stored result cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
  const text_ = (name: string): string | null =>
    typeof stored[name] === 'string' ? stored[name] : null
  const children = stored['children']
  return {
    taskId: text_('task_id') ?? '',
    status: stored['status'],
    result: stored['result'] ?? null,
    traceback: text_('traceback'),
    children: Array.isArray(children)
      ? children.map(readTree).filter((tree) => tree !== undefined)
      : null,
    dateDone: text_('date_done'),
    ...(text_('group_id') !== null && { groupId: text_('group_id')! }),
    ...(text_('parent_id') !== null && { parentId: text_('parent_id')! }),
    ...(typeof stored['name'] === 'string' && {
      extended: {
        name: stored['name'],
        args: Array.isArray(stored['args']) ? (stored['args'] as unknown[]) : [],
        kwargs: (stored['kwargs'] ?? {}) as Record<string, unknown>,
        worker: text_('worker') ?? '',
        retries: Number(stored['retries'] ?? 0),
        queue: text_('queue') ?? '',
      },
    }),
  }
}
