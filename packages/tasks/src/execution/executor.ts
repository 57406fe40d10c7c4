/**
 * How one task runs, from message to report: decode, call, classify, send what follows, record, count.
 * The same in every pool; what settles the message afterwards is the worker's business.
 */
import {
  MessagingError,
  type Ambient,
  type Headers,
  type Logger,
  type Message,
  type Properties,
} from '@celeriac/messaging'
import type { BodyCodec, Signals } from '@celeriac/messaging/internal'
import { retryCall, taskTree, type Finished, type ResultTree } from '../canvas/index.ts'
import type { Outbox } from '../client/outbox.ts'
import type { Config } from '../config/options.ts'
import { describe } from '../kernel/describe.ts'
import { NotRegistered, TasksError, type Retry } from '../kernel/errors.ts'
import type { JobControl, JobMessage } from '../kernel/job.ts'
import type { ExecutionReport } from '../kernel/report.ts'
import type { AppSignals } from '../kernel/signals.ts'
import { decodeMeta, decodePayload, decodeProtocol1, type TaskResult } from '../protocol/decode.ts'
import { encodeFailure, type Failure } from '../protocol/failures.ts'
import type { TaskMeta, TaskPayload } from '../protocol/task-message.ts'
import { formatIso } from '../protocol/times.ts'
import { bindArguments } from './bind.ts'
import { classify, nextAttempt } from './classify.ts'
import { within, type Execution, type TaskContext, type TaskRequest } from './context.ts'
import { Follower } from './follow.ts'
import type { Recorder } from './record.ts'
import type { Runnable } from './runnable.ts'

export interface ExecutorServices {
  readonly ambient: Ambient
  readonly config: Config
  readonly codec: BodyCodec
  readonly outbox: Outbox
  readonly recorder: Recorder
  readonly signals: Signals<AppSignals>
  readonly log: Logger
  readonly replyTo: string
  find(task: string): Runnable | undefined
  /** `. Did you mean …` for a name that is not registered. */
  suggest(task: string): string
}

/** What is being run, between decoding and reporting. */
interface Running {
  readonly meta: TaskMeta
  readonly payload: TaskPayload
  readonly job: JobMessage
  readonly runnable: Runnable | undefined
  readonly startedMs: number
  readonly children: ResultTree[]
}

export class Executor {
  readonly #services: ExecutorServices
  readonly #follower: Follower

  constructor(services: ExecutorServices) {
    this.#services = services
    this.#follower = new Follower({
      outbox: services.outbox,
      recorder: services.recorder,
      replyTo: services.replyTo,
      nextId: services.ambient.nextId,
      dateDone: () => formatIso(services.ambient.clock.now()),
      isInline: (errback) => (services.find(errback.task)?.params?.length ?? 0) > 1,
      callInline: (errback, finished) => this.#callErrback(errback.task, finished),
    })
  }

  /** Runs a job; never rejects. */
  readonly execute = async (job: JobMessage, control: JobControl): Promise<ExecutionReport> => {
    const running = this.#begin(job)
    if ('refused' in running) return running.refused
    const { meta, runnable } = running
    const { signals, ambient } = this.#services
    if (!runnable) return await this.#finishFailure(running, this.#notRegistered(meta.task), false)
    if (signals.has('taskPrerun')) signals.emit('taskPrerun', { id: meta.id, task: meta.task })
    let report: ExecutionReport
    try {
      if (runnable.options.trackStarted ?? this.#services.config.taskTrackStarted)
        await this.#storeStarted(running)
      const value = await this.#call(running, runnable, control)
      report = await this.#finishSuccess(running, value)
    } catch (thrown) {
      if (thrown instanceof Unrecorded) report = this.#unrecorded(running, thrown)
      else {
        const means = classify(
          thrown,
          this.#attempt(meta),
          runnable.options,
          ambient.random,
          this.#services.config.taskAutoretryBackoff,
        )
        report = await this.#finishThrown(running, means)
      }
    }
    if (signals.has('taskPostrun')) signals.emit('taskPostrun', { report })
    return report
  }

  /**
   * Records that a job failed without an end of its own (its process died, its time was over, it was
   * revoked), with everything that follows from it; never rejects.
   */
  async fail(
    job: JobMessage,
    error: unknown,
    state: 'FAILURE' | 'REVOKED' = 'FAILURE',
  ): Promise<ExecutionReport> {
    const running = this.#begin(job)
    if ('refused' in running) return running.refused
    return await this.#finishFailure(running, error, false, state)
  }

  #begin(job: JobMessage): Running | { readonly refused: ExecutionReport } {
    const decoded = this.#decode(job)
    const startedMs = this.#services.ambient.clock.monotonic()
    if (!decoded.ok) {
      return {
        refused: {
          ...emptyReport,
          id: typeof job.headers['id'] === 'string' ? job.headers['id'] : '',
          task: typeof job.headers['task'] === 'string' ? job.headers['task'] : '',
          state: 'REJECTED',
          summary: decoded.detail,
          errorType: 'InvalidTaskError',
        },
      }
    }
    const { meta, payload } = decoded
    const runnable = this.#services.find(meta.task)
    return { meta, payload, job, runnable, startedMs, children: [] }
  }

  #decode(job: JobMessage): TaskResult {
    const headers = job.headers as Headers
    const properties = job.properties as Properties
    const message: Message = { headers, properties, body: job.body }
    let body: unknown
    try {
      body = this.#services.codec.decode(message)
    } catch (error) {
      return { ok: false, reason: 'bad-body', detail: (error as Error).message }
    }
    const meta = decodeMeta(headers, properties)
    if (!meta.ok) return meta.reason === 'no-task' ? decodeProtocol1(body, properties) : meta
    const payload = decodePayload(body)
    return payload.ok ? { ok: true, meta: meta.meta, payload: payload.payload } : payload
  }

  async #call(running: Running, runnable: Runnable, control: JobControl): Promise<unknown> {
    const { meta, payload } = running
    const context = this.#context(running, runnable, control)
    const args = bindArguments(meta.task, runnable.params, payload.args, payload.kwargs)
    const execution: Execution = { context, children: running.children }
    return await within(execution, () => runnable.run.apply(context, args))
  }

  #context(running: Running, runnable: Runnable, control: JobControl): TaskContext {
    const { meta, payload, job } = running
    const { log } = this.#services
    const request: TaskRequest = {
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
      stamps: meta.stamps,
      deliveryInfo: job.delivery,
      calledDirectly: false,
    }
    return {
      request,
      get signal() {
        return control.signal
      },
      get log() {
        return log.with({ task: meta.task, id: meta.id })
      },
      retry: (options = {}) => nextAttempt(this.#attempt(meta), runnable.options, options),
      updateState: (state, value) => this.#storeState(running, state, value ?? null),
    }
  }

  #attempt(meta: TaskMeta) {
    return { id: meta.id, task: meta.task, retries: meta.retries }
  }

  async #finishSuccess(running: Running, value: unknown): Promise<ExecutionReport> {
    const finished = { ...running, outcome: { kind: 'success', value } as const }
    const decided = this.#follower.next(finished)
    await this.#orUnrecorded(async () => {
      await this.#follower.before(decided, finished)
    })
    running.children.push(...decided.children)
    if (this.#stores(running, 'SUCCESS')) {
      // A value that cannot be carried fails the task: that error is not a failure to record.
      const stored = this.#services.recorder.store(this.#record(running, 'SUCCESS', value, null))
      await stored.catch((error: unknown) => {
        throw isOutage(error) ? new Unrecorded(error) : error
      })
    }
    await this.#orUnrecorded(() => this.#follower.after(decided, 'SUCCESS', value))
    return {
      ...this.#report(running),
      state: 'SUCCESS',
      summary: value === undefined ? 'None' : describe(value),
    }
  }

  async #finishThrown(
    running: Running,
    means: ReturnType<typeof classify>,
  ): Promise<ExecutionReport> {
    switch (means.kind) {
      case 'failure':
        return await this.#finishFailure(running, means.error, means.expected)
      case 'retry':
        return await this.#finishRetry(running, means.retry)
      case 'ignore':
        return { ...this.#report(running), state: 'IGNORED', summary: 'ignored' }
      case 'reject':
        return {
          ...this.#report(running),
          state: 'REJECTED',
          requeue: means.requeue,
          summary: encodeFailure(means.reason).summary,
        }
    }
  }

  async #finishFailure(
    running: Running,
    error: unknown,
    expected: boolean,
    state: 'FAILURE' | 'REVOKED' = 'FAILURE',
  ): Promise<ExecutionReport> {
    const failure = encodeFailure(error)
    const finished: Finished = {
      ...running,
      outcome: { kind: 'failure', exception: failure.exception },
    }
    const report = {
      ...this.#report(running),
      state: 'FAILURE' as const,
      summary: failure.summary,
      errorType: failure.exception.exc_type,
      traceback: failure.traceback,
      expected,
    }
    try {
      await this.#orUnrecorded(async () => {
        if (this.#stores(running, state))
          await this.#services.recorder.store(this.#failureRecord(running, state, failure))
        const decided = this.#follower.next(finished)
        await this.#follower.before(decided, finished)
        await this.#follower.after(decided, state, undefined, failure)
      })
      return report
    } catch (thrown) {
      if (thrown instanceof Unrecorded) return { ...report, unrecorded: thrown.message }
      // The failure itself is known; what was to follow it cannot be (a broken signature, say).
      this.#services.log.error('what follows a failed task could not be sent', {
        task: report.task,
        id: report.id,
        reason: (thrown as Error).message,
      })
      return report
    }
  }

  async #finishRetry(running: Running, retry: Retry): Promise<ExecutionReport> {
    const { meta, payload, job } = running
    const { options } = retry
    const { clock } = this.#services.ambient
    const failure = encodeFailure(options.cause ?? retry)
    const retryAtMs = options.eta?.getTime() ?? clock.now() + (options.countdown ?? 0) * 1000
    const report = {
      ...this.#report(running),
      state: 'RETRY' as const,
      summary: failure.summary,
      errorType: failure.exception.exc_type,
      traceback: failure.traceback,
      retryAtMs,
    }
    try {
      await this.#orUnrecorded(async () => {
        const { exchange, routingKey, queue } = job.delivery
        const back = exchange === '' ? { queue: queue || routingKey } : { exchange, routingKey }
        const call = retryCall(
          meta,
          payload,
          {
            ...(options.eta ? { eta: options.eta } : { countdown: options.countdown ?? 0 }),
            args: options.args,
            kwargs: options.kwargs,
            options: { ...back, ...options.options },
          },
          { replyTo: this.#services.replyTo },
        )
        if (this.#stores(running, 'RETRY'))
          await this.#services.recorder.store(this.#failureRecord(running, 'RETRY', failure))
        await this.#services.outbox.send({
          send: [call],
          countdowns: [],
          result: taskTree(meta.id),
        })
      })
      return report
    } catch (thrown) {
      if (thrown instanceof Unrecorded) return { ...report, unrecorded: thrown.message }
      // New arguments that cannot be sent: trying again will not help.
      return await this.#finishFailure(running, thrown, false)
    }
  }

  /**
   * Celery: a task declared to ignore results stores nothing; one that is called so stores everything but
   * its success. trace.py, wire facts §10.2.
   */
  #stores(running: Running, state: string): boolean {
    const { meta, runnable } = running
    const { config } = this.#services
    const declared = runnable?.options.ignoreResult ?? config.taskIgnoreResult
    if (state === 'SUCCESS' || state === 'STARTED') return !meta.ignoreResult && !declared
    return (
      !declared ||
      (runnable?.options.storeErrorsEvenIfIgnored ?? config.taskStoreErrorsEvenIfIgnored)
    )
  }

  async #storeStarted(running: Running): Promise<void> {
    if (!this.#stores(running, 'STARTED')) return
    await this.#storeState(running, 'STARTED', {
      pid: process.pid,
      hostname: running.job.hostname,
    })
  }

  async #storeState(running: Running, state: string, value: unknown): Promise<void> {
    await this.#services.recorder.store(this.#record(running, state, value, null))
  }

  #failureRecord(running: Running, state: string, { exception, traceback }: Failure) {
    return this.#record(running, state, exception, traceback ?? null)
  }

  #record(running: Running, status: string, result: unknown, traceback: string | null) {
    const { meta, payload, job, children } = running
    const { config, ambient } = this.#services
    const done = status === 'SUCCESS' || status === 'FAILURE' || status === 'REVOKED'
    return {
      taskId: meta.id,
      status,
      result,
      traceback,
      children,
      dateDone: done ? formatIso(ambient.clock.now()) : null,
      groupId: meta.groupId,
      parentId: meta.parentId,
      ...(config.resultExtended && {
        extended: {
          name: meta.task,
          args: payload.args,
          kwargs: payload.kwargs,
          worker: job.hostname,
          retries: meta.retries,
          queue: job.delivery.routingKey,
        },
      }),
    }
  }

  #report({ meta, startedMs }: Running): typeof emptyReport {
    return {
      ...emptyReport,
      id: meta.id,
      task: meta.task,
      runtime: (this.#services.ambient.clock.monotonic() - startedMs) / 1000,
    }
  }

  #unrecorded(running: Running, { message }: Unrecorded): ExecutionReport {
    return { ...this.#report(running), state: 'SUCCESS', summary: message, unrecorded: message }
  }

  async #orUnrecorded(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      throw isOutage(error) ? new Unrecorded(error) : error
    }
  }

  #notRegistered(task: string): NotRegistered {
    return new NotRegistered(task, this.#services.suggest(task))
  }

  /** Celery: error callbacks with more than one parameter get (request, error, traceback). */
  async #callErrback(task: string, { meta, outcome }: Finished): Promise<void> {
    const errback = this.#services.find(task)
    if (!errback || outcome.kind !== 'failure') return
    try {
      await errback.run.call(undefined as never, meta, outcome.exception, undefined)
    } catch (error) {
      this.#services.log.error('an error callback failed', {
        task,
        id: meta.id,
        reason: error instanceof Error ? error.message : String(error),
      })
    }
  }
}

/** True when the same may succeed later; false for values and signatures that can never be sent. */
function isOutage(error: unknown): boolean {
  return MessagingError.is(error) || (TasksError.is(error) && outages.has(error.code))
}

const outages = new Set<TasksError['code']>([
  'TASKS_BACKEND_FAILED',
  'TASKS_SEND_FAILED',
  'TASKS_STOPPED',
])

/** The result or what follows could not be stored or sent: the message has to come again. */
class Unrecorded extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.name = 'Unrecorded'
  }
}

const emptyReport: ExecutionReport = {
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
}
