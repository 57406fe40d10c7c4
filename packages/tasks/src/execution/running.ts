/** One execution, from its message to what its record says: decoded once, used by every step after. */
import type { Headers, Message, Properties } from '@celeriac/messaging'
import type { BodyCodec } from '@celeriac/messaging/internal'
import type { ResultRecord } from '../backend/result-record.ts'
import type { ResultTree } from '../canvas/index.ts'
import type { Config } from '../config/options.ts'
import type { JobMessage } from '../kernel/job.ts'
import type { ExecutionReport } from '../kernel/report.ts'
import { decodeMeta, decodePayload, decodeProtocol1, type TaskResult } from '../protocol/decode.ts'
import type { TaskMeta, TaskPayload } from '../protocol/task-message.ts'
import { formatIso } from '../protocol/times.ts'
import type { TaskRequest } from './context.ts'
import { redacted, redactionOf } from './redact.ts'
import type { Runnable } from './runnable.ts'

export interface Running {
  readonly meta: TaskMeta
  readonly payload: TaskPayload
  readonly job: JobMessage
  readonly runnable: Runnable | undefined
  /** Monotonic. */
  readonly startedMs: number
  /** Results of what was sent while it ran. */
  readonly children: ResultTree[]
}

/** Makes the codec of its body ready; undefined when it is. */
export function loadCodec(job: JobMessage, codec: BodyCodec): Promise<void> | undefined {
  return codec.prepareFor(messageOf(job))
}

function messageOf({ headers, properties, body }: JobMessage): Message {
  return { headers: headers as Headers, properties: properties as Properties, body }
}

/** Headers and body of either protocol; a reason when it is no task. */
export function decodeJob(job: JobMessage, codec: BodyCodec): TaskResult {
  const message = messageOf(job)
  const { headers, properties } = message
  let body: unknown
  try {
    body = codec.decode(message)
  } catch (error) {
    return { ok: false, reason: 'bad-body', detail: (error as Error).message }
  }
  const meta = decodeMeta(headers, properties)
  if (!meta.ok) return meta.reason === 'no-task' ? decodeProtocol1(body, properties) : meta
  const payload = decodePayload(body)
  return payload.ok ? { ok: true, meta: meta.meta, payload: payload.payload } : payload
}

/** What the task sees of itself. */
export function requestOf({ meta, payload, job }: Running): TaskRequest {
  return {
    id: meta.id,
    task: meta.task,
    args: payload.args,
    kwargs: payload.kwargs,
    retries: meta.retries,
    deliveries: job.delivery.attempts,
    hostname: job.hostname,
    rootId: meta.rootId,
    parentId: meta.parentId,
    groupId: meta.groupId,
    groupIndex: meta.groupIndex,
    correlationId: meta.correlationId,
    replyTo: meta.replyTo,
    origin: meta.origin,
    etaMs: meta.etaMs,
    expiresMs: meta.expiresMs,
    timeLimit: [meta.hardLimit, meta.softLimit],
    headers: meta.headers,
    stampedHeaders: meta.stampedHeaders,
    stamps: meta.stamps,
    lang: typeof job.headers['lang'] === 'string' ? job.headers['lang'] : undefined,
    shadow: meta.shadow,
    argsRepr: meta.argsRepr,
    kwargsRepr: meta.kwargsRepr,
    ignoreResult: meta.ignoreResult,
    replacedTaskNesting: meta.replacedTaskNesting,
    ...payload.embed,
    priority: meta.priority,
    properties: job.properties,
    deliveryInfo: job.delivery,
    isEager: job.delivery.isEager ?? false,
    calledDirectly: false,
  }
}

/**
 * Celery: a task declared to ignore results stores nothing; one that is called so stores everything but its
 * success. trace.py
 */
export function storesState({ meta, runnable }: Running, config: Config, state: string): boolean {
  const declared = runnable?.options.ignoreResult ?? config.taskIgnoreResult
  if (state === 'SUCCESS' || state === 'STARTED') return !meta.ignoreResult && !declared
  return (
    !declared || (runnable?.options.storeErrorsEvenIfIgnored ?? config.taskStoreErrorsEvenIfIgnored)
  )
}

const finalStates = new Set(['SUCCESS', 'FAILURE', 'REVOKED'])

export function recordOf(
  { meta, payload, job, children, runnable }: Running,
  config: Config,
  nowMs: number,
  outcome: {
    readonly status: string
    readonly result: unknown
    readonly traceback?: string | null
  },
): ResultRecord {
  const { status, result, traceback = null } = outcome
  return {
    taskId: meta.id,
    status,
    result,
    traceback,
    children,
    dateDone: finalStates.has(status) ? formatIso(nowMs) : null,
    groupId: meta.groupId,
    parentId: meta.parentId,
    ...(config.resultExtended && {
      extended: {
        name: meta.task,
        ...redacted(payload, redactionOf(runnable, payload), runnable?.params),
        worker: job.hostname,
        retries: meta.retries,
        queue: job.delivery.routingKey,
        ...(meta.stampedHeaders?.length && {
          stampedHeaders: meta.stampedHeaders,
          stamps: meta.stamps,
        }),
      },
    }),
  }
}

/** A report in which nothing has happened yet. */
export const emptyReport: ExecutionReport = {
  id: '',
  task: '',
  state: 'SUCCESS',
  requeue: false,
  runtime: 0,
  summary: '',
  errorType: undefined,
  traceback: undefined,
  expected: false,
  retryAtMs: undefined,
  unrecorded: undefined,
  invalid: undefined,
}

/** The report of a message that is no task. */
export function refusedReport(job: JobMessage, detail: string): ExecutionReport {
  const text = (name: string): string => {
    const value = job.headers[name]
    return typeof value === 'string' ? value : ''
  }
  return {
    ...emptyReport,
    id: text('id'),
    task: text('task'),
    state: 'REJECTED',
    summary: detail,
    errorType: 'InvalidTaskError',
  }
}
