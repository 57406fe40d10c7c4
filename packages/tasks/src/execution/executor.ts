/**
 * How one task runs, from message to report: decode, call, classify, send what follows, record, count.
 * The same in every pool; what settles the message afterwards is the worker's business.
 */
import type { Ambient, Logger } from '@celeriac/messaging'
import type { BodyCodec, Signals } from '@celeriac/messaging/internal'
import { replacement, retryCall, taskTree, type Finished, type Signature } from '../canvas/index.ts'
import type { Sending } from '../client/outbox.ts'
import type { Config } from '../config/options.ts'
import { describe } from '../kernel/describe.ts'
import { InvalidTaskError, NotRegistered, type Retry } from '../kernel/errors.ts'
import type { JobControl, JobMessage } from '../kernel/job.ts'
import type { ExecutionReport } from '../kernel/report.ts'
import type { AppSignals } from '../kernel/signals.ts'
import { encodeFailure } from '../protocol/failures.ts'
import { formatIso } from '../protocol/times.ts'
import { bindArguments } from './bind.ts'
import { classify, type Thrown } from './classify.ts'
import { within, type Execution } from './context.ts'
import { callErrback } from './errback.ts'
import { callHooks, hasHooks } from './hooks.ts'
import { checkedArguments, checkedResult } from './validate.ts'
import { contextOf, type ContextServices } from './task-context.ts'
import { Follower } from './follow.ts'
import type { Recorder } from './record.ts'
import type { Runnable } from './runnable.ts'
import {
  decodeJob,
  emptyReport,
  loadCodec,
  recordOf,
  refusedReport,
  requestOf,
  storesState,
  type Running,
} from './running.ts'
import { orUnrecorded, Unrecorded } from './unrecorded.ts'

export interface ExecutorServices {
  readonly ambient: Ambient
  readonly config: Config
  readonly codec: BodyCodec
  readonly outbox: Sending
  readonly recorder: Recorder
  readonly signals: Signals<AppSignals>
  readonly log: Logger
  readonly replyTo: string
  /** Results are kept whatever tasks and messages say: those of eager runs. */
  readonly keepsAll?: boolean
  sendEvent(
    type: string,
    hostname: string,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<void>
  find(task: string): Runnable | undefined
  /** ` Did you mean …?` for a name that is not registered. */
  suggest(task: string): string
}

export class Executor {
  readonly #services: ExecutorServices
  /** What follows a task; also asked by the task that looks for the end of chords. */
  readonly follower: Follower
  readonly #contexts: ContextServices

  constructor(services: ExecutorServices) {
    this.#services = services
    this.follower = new Follower({
      outbox: services.outbox,
      recorder: services.recorder,
      replyTo: services.replyTo,
      nextId: services.ambient.nextId,
      dateDone: () => formatIso(services.ambient.clock.now()),
      isInline: (errback) => (services.find(errback.task)?.params?.length ?? 0) > 1,
      callInline: (errback, failed, failure) =>
        callErrback(services.find(errback.task), errback, failed, failure, services.log),
    })
    this.#contexts = {
      outbox: services.outbox,
      recorder: services.recorder,
      log: services.log,
      replyTo: services.replyTo,
      nextId: services.ambient.nextId,
      sendEvent: services.sendEvent,
      store: (running, state, value) => this.#store(running, state, value),
    }
  }

  /** Runs a job; never rejects. */
  readonly execute = async (job: JobMessage, control: JobControl): Promise<ExecutionReport> => {
    const loading = loadCodec(job, this.#services.codec)
    // What could not be loaded is said by decoding.
    if (loading) await loading.catch(() => undefined)
    const running = this.#begin(job)
    if ('refused' in running) return running.refused
    const { meta, runnable } = running
    const { signals, suggest } = this.#services
    if (!runnable) {
      const unknown = new NotRegistered(meta.task, suggest(meta.task))
      return await this.#finishFailure(running, unknown, false)
    }
    const context = contextOf(running, runnable, control, this.#contexts)
    const children = runnable.options.trail === false ? [] : running.children
    const execution: Execution = { context, children }
    if (signals.has('taskPrerun')) {
      const { args, kwargs } = running.payload
      const { request } = context
      signals.emit('taskPrerun', { id: meta.id, task: meta.task, args, kwargs, request })
    }
    const ended = await this.#run(running, runnable, control, execution)
    await this.#tell(ended, execution, runnable)
    return ended.report
  }

  /** Hooks and signals, once the end is recorded. */
  async #tell({ report, value }: Ended, execution: Execution, runnable: Runnable): Promise<void> {
    const { signals, log } = this.#services
    const { request } = execution.context
    const { state, id, task } = report
    if (report.unrecorded === undefined) {
      if (state === 'SUCCESS') {
        if (signals.has('taskSuccess')) signals.emit('taskSuccess', { id, task, result: value })
      } else if (state === 'RETRY') {
        if (signals.has('taskRetry')) signals.emit('taskRetry', { request, reason: value })
      } else if (state === 'FAILURE' && signals.has('taskFailure')) {
        signals.emit('taskFailure', { id, task, error: value, request })
      }
      if (
        hasHooks(runnable.options) &&
        (state === 'SUCCESS' || state === 'RETRY' || state === 'FAILURE')
      )
        await callHooks(runnable.options, execution, { state, value }, log)
    }
    if (signals.has('taskPostrun'))
      signals.emit('taskPostrun', {
        report,
        request,
        ...(state === 'SUCCESS' && { result: value }),
      })
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
    const loading = loadCodec(job, this.#services.codec)
    // What could not be loaded is said by decoding.
    if (loading) await loading.catch(() => undefined)
    const running = this.#begin(job)
    if ('refused' in running) return running.refused
    return await this.#finishFailure(running, error, false, state)
  }

  #begin(job: JobMessage): Running | { readonly refused: ExecutionReport } {
    const decoded = decodeJob(job, this.#services.codec)
    if (!decoded.ok) return { refused: refusedReport(job, decoded.detail) }
    const { meta, payload } = decoded
    const startedMs = this.#services.ambient.clock.monotonic()
    const runnable = this.#services.find(meta.task)
    return { meta, payload, job, runnable, startedMs, children: [] }
  }

  async #run(
    running: Running,
    runnable: Runnable,
    control: JobControl,
    execution: Execution,
  ): Promise<Ended> {
    const { config, ambient } = this.#services
    let value: unknown
    try {
      if (runnable.options.trackStarted ?? config.taskTrackStarted) {
        const { hostname } = running.job
        if (this.#stores(running, 'STARTED'))
          await this.#store(running, 'STARTED', { pid: process.pid, hostname })
      }
      value = await this.#call(running, runnable, execution)
      if (!control.finish()) return { report: this.#abandoned(running), value }
      return { report: await this.#finishSuccess(running, value), value }
    } catch (thrown) {
      if (!control.finish()) return { report: this.#abandoned(running), value: thrown }
      if (thrown instanceof Unrecorded)
        return { report: this.#unrecorded(running, thrown), value: thrown }
      const means = classify(
        thrown,
        attemptOf(running),
        runnable.options,
        ambient.random,
        config.taskAutoretryBackoff,
      )
      const report = await this.#finishThrown(running, means)
      return {
        report,
        value: means.kind === 'retry' ? (means.retry.options.cause ?? thrown) : thrown,
      }
    }
  }

  async #call(running: Running, runnable: Runnable, execution: Execution): Promise<unknown> {
    const { payload, meta } = running
    const { context } = execution
    const { before, args: schema, result } = runnable.options
    const bound = bindArguments(meta.task, runnable.params, payload.args, payload.kwargs)
    const args = schema ? await checkedArguments(meta.task, schema, bound) : bound
    const value = await within(execution, async () => {
      if (before) await before.call(context, context.request)
      return await runnable.run.apply(context, args)
    })
    return result ? await checkedResult(meta.task, result, value) : value
  }

  #stores(running: Running, state: string): boolean {
    return this.#services.keepsAll ?? storesState(running, this.#services.config, state)
  }

  async #finishSuccess(running: Running, value: unknown): Promise<ExecutionReport> {
    const finished: Finished = { ...running, outcome: { kind: 'success', value } }
    // A value that cannot be carried fails the task; only an outage brings the message back.
    await orUnrecorded(async () => {
      const decided = this.follower.next(finished)
      await this.follower.before(decided)
      if (running.runnable?.options.trail !== false) running.children.push(...decided.children)
      if (this.#stores(running, 'SUCCESS')) await this.#store(running, 'SUCCESS', value)
      await this.follower.after(decided, 'SUCCESS', value)
    })
    return { ...this.#report(running), state: 'SUCCESS', summary: this.#summary(running, value) }
  }

  #summary({ runnable }: Running, value: unknown): string {
    const { redact, resultReprMaxsize: maxLength } = runnable?.options ?? {}
    if (redact?.result) return "'***'"
    if (value === undefined) return 'None'
    return maxLength === undefined ? describe(value) : describe(value, { maxLength })
  }

  async #finishThrown(running: Running, means: Thrown): Promise<ExecutionReport> {
    switch (means.kind) {
      case 'failure':
        return await this.#finishFailure(running, means.error, means.expected)
      case 'retry':
        return await this.#finishRetry(running, means.retry)
      case 'replace':
        return await this.#finishReplaced(running, means.signature)
      case 'ignore':
        return { ...this.#report(running), state: 'IGNORED', summary: 'ignored' }
      case 'reject': {
        const { summary } = encodeFailure(means.reason)
        return { ...this.#report(running), state: 'REJECTED', requeue: means.requeue, summary }
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
    const { exception, traceback, summary } = failure
    const finished: Finished = { ...running, outcome: { kind: 'failure', exception } }
    const report = {
      ...this.#report(running),
      state: 'FAILURE' as const,
      summary,
      errorType: exception.exc_type,
      traceback,
      expected,
      invalid: error instanceof InvalidTaskError ? error.message : undefined,
    }
    try {
      await orUnrecorded(async () => {
        if (this.#stores(running, state)) await this.#store(running, state, exception, traceback)
        const decided = this.follower.next(finished)
        await this.follower.before(decided)
        await this.follower.callInline(decided, requestOf(running), failure)
        await this.follower.after(decided, state, undefined, failure)
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
    const { exception, traceback, summary } = encodeFailure(options.cause ?? retry)
    const countdown = options.countdown ?? 0
    const { exchange, routingKey, queue } = job.delivery
    // Back to where it came from, as Celery does, unless the task says otherwise.
    const back = exchange === '' ? { queue: queue || routingKey } : { exchange, routingKey }
    const report = {
      ...this.#report(running),
      state: 'RETRY' as const,
      summary,
      errorType: exception.exc_type,
      traceback,
      retryAtMs: options.eta?.getTime() ?? this.#services.ambient.clock.now() + countdown * 1000,
    }
    try {
      await orUnrecorded(async () => {
        const call = retryCall(
          meta,
          payload,
          {
            ...(options.eta ? { eta: options.eta } : { countdown }),
            args: options.args,
            kwargs: options.kwargs,
            options: { ...back, ...options.options },
          },
          { replyTo: this.#services.replyTo },
        )
        if (this.#stores(running, 'RETRY'))
          await this.#store(running, 'RETRY', exception, traceback)
        const plan = { send: [call], countdowns: [], result: taskTree(meta.id) }
        await this.#services.outbox.send(plan)
      })
      return report
    } catch (thrown) {
      if (thrown instanceof Unrecorded) return { ...report, unrecorded: thrown.message }
      // New arguments that cannot be sent: trying again will not help.
      return await this.#finishFailure(running, thrown, false)
    }
  }

  /** What takes the place of the task has its id: nothing is stored for it here. */
  async #finishReplaced(running: Running, signature: Signature): Promise<ExecutionReport> {
    const { meta, payload } = running
    const { ambient, replyTo } = this.#services
    const report = { ...this.#report(running), state: 'IGNORED' as const, summary: 'replaced' }
    try {
      await orUnrecorded(async () => {
        const context = { nextId: ambient.nextId, replyTo }
        await this.#services.outbox.send(replacement(meta, payload, signature, context))
      })
      return report
    } catch (thrown) {
      if (thrown instanceof Unrecorded) return { ...report, unrecorded: thrown.message }
      return await this.#finishFailure(running, thrown, false)
    }
  }

  async #store(
    running: Running,
    status: string,
    result: unknown,
    traceback?: string | null,
  ): Promise<void> {
    const { recorder, config, ambient } = this.#services
    const outcome = { status, result, traceback: traceback ?? null }
    const record = recordOf(running, config, ambient.clock.now(), outcome)
    const { replyTo, correlationId } = running.meta
    await recorder.store(record, { replyTo, correlationId })
  }

  #report({ meta, startedMs }: Running): ExecutionReport {
    const runtime = (this.#services.ambient.clock.monotonic() - startedMs) / 1000
    return { ...emptyReport, id: meta.id, task: meta.task, runtime }
  }

  /** Nobody reads it: the pool has reported the end already. */
  #abandoned(running: Running): ExecutionReport {
    return { ...this.#report(running), state: 'IGNORED', summary: 'given up before' }
  }

  #unrecorded(running: Running, { message }: Unrecorded): ExecutionReport {
    return { ...this.#report(running), summary: message, unrecorded: message }
  }
}

/** How a run ended, and with what: its value, or what was thrown. */
interface Ended {
  readonly report: ExecutionReport
  readonly value: unknown
}

function attemptOf({ meta }: Running) {
  return { id: meta.id, task: meta.task, retries: meta.retries }
}
