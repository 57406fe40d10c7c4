/**
 * How one task runs, from message to report: decode, call, classify, send what follows, record, count.
 * The same in every pool; what settles the message afterwards is the worker's business.
 */
import type { BodyCodec, Signals } from '@celeriac/messaging/internal'
import type { UniqueKeys } from '../client/unique.ts'
import { NotRegistered, TaskRevokedError } from '../kernel/errors.ts'
import type { JobControl, JobMessage } from '../kernel/job.ts'
import type { ExecutionReport } from '../kernel/report.ts'
import type { AppSignals } from '../kernel/signals.ts'
import { formatIso } from '../protocol/times.ts'
import { bindArguments } from './bind.ts'
import { classify, type Thrown } from './classify.ts'
import { within, type Execution } from './context.ts'
import { Endings, type EndingServices } from './endings.ts'
import { callErrback, isCalledInPlace } from './errback.ts'
import { callHooks, hasHooks, type Limited } from './hooks.ts'
import { atMost } from './limit.ts'
import { checkedArguments, checkedResult } from './validate.ts'
import { RunningContext, type ContextServices } from './task-context.ts'
import { Follower } from './follow.ts'
import type { Runnable } from './runnable.ts'
import { decodeJob, loadCodec, refusedReport, type Running } from './running.ts'
import { laterSeconds, UniqueRun } from './unique-run.ts'
import { orUnrecorded, Unrecorded } from './unrecorded.ts'

export interface ExecutorServices extends EndingServices {
  readonly codec: BodyCodec
  readonly signals: Signals<AppSignals>
  readonly uniqueKeys: UniqueKeys
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
  readonly #endings: Endings

  constructor(services: ExecutorServices) {
    this.#services = services
    this.follower = new Follower({
      outbox: services.outbox,
      recorder: services.recorder,
      replyTo: services.replyTo,
      patience: {
        clock: services.ambient.clock,
        timeoutMs: services.config.resultChordJoinTimeout * 1000,
      },
      nextId: services.ambient.nextId,
      dateDone: () => formatIso(services.ambient.clock.now()),
      isInline: (errback) => isCalledInPlace(services.find(errback.task), errback),
      inherit: (plan, priority) => this.#endings.inherit(plan, priority),
      callInline: async (errback, failed, failure) => {
        const runnable = services.find(errback.task)
        const seconds = runnable?.options.timeLimit ?? services.config.taskTimeLimit
        const limited: Limited = (call) => atMost(services.ambient.clock, seconds, call)
        await callErrback(runnable, errback, failed, failure, services.log, limited)
      },
    })
    this.#endings = new Endings(services, this.follower)
    this.#contexts = {
      outbox: services.outbox,
      recorder: services.recorder,
      log: services.log,
      replyTo: services.replyTo,
      nextId: services.ambient.nextId,
      sendEvent: services.sendEvent,
      store: (running, state, value) => this.#endings.store(running, state, value),
    }
  }

  /** Runs a job; never rejects. */
  readonly execute = async (job: JobMessage, control: JobControl): Promise<ExecutionReport> => {
    try {
      return await this.#execute(job, control)
    } catch (error) {
      return await this.#undecided(job, control, error)
    }
  }

  /**
   * What a task threw cannot even be looked at, or its declaration is broken: that fails this task, and nothing
   * else. What cannot be failed either is rejected, so that its message is put aside.
   */
  async #undecided(job: JobMessage, control: JobControl, error: unknown): Promise<ExecutionReport> {
    const { log } = this.#services
    const reason = error instanceof Error ? error.message : String(error)
    log.error('the end of a task could not be decided', { id: job.headers['id'], reason })
    if (!control.finish()) return refusedReport(job, 'given up before')
    try {
      return await this.fail(job, error)
    } catch {
      return refusedReport(job, reason)
    }
  }

  async #execute(job: JobMessage, control: JobControl): Promise<ExecutionReport> {
    const loading = loadCodec(job, this.#services.codec)
    // What could not be loaded is said by decoding.
    if (loading) await loading.catch(() => undefined)
    const running = this.#begin(job)
    if ('refused' in running) return running.refused
    const { meta, runnable } = running
    const { suggest } = this.#services
    if (!runnable) {
      const unknown = new NotRegistered(meta.task, suggest(meta.task))
      return await this.#endings.failure(running, unknown, false)
    }
    const unique = this.#uniqueRun(running, control)
    if (unique) return await this.#executeUnique(unique, running, runnable, control)
    return await this.#executeOne(running, runnable, control)
  }

  /** What asks again has its message sent anew; what was overtaken is revoked, and who waits is told. */
  async #executeUnique(
    unique: UniqueRun,
    running: Running,
    runnable: Runnable,
    control: JobControl,
  ): Promise<ExecutionReport> {
    try {
      const answer = await orUnrecorded(() => unique.begin())
      if (answer === 'superseded') {
        control.finish()
        const error = new TaskRevokedError('superseded')
        return await this.#endings.failure(running, error, true, 'REVOKED')
      }
      if (answer === 'later') {
        control.finish()
        await orUnrecorded(() =>
          this.#endings.sendAgain(running, { countdown: laterSeconds }, running.meta.retries),
        )
        return { ...this.#endings.report(running), state: 'IGNORED', summary: 'waits for its key' }
      }
    } catch (thrown) {
      control.finish()
      if (thrown instanceof Unrecorded) return this.#endings.unrecorded(running, thrown)
      return await this.#endings.failure(running, thrown, false)
    }
    let again = false
    try {
      const report = await this.#executeOne(running, runnable, control, unique)
      again = report.state === 'RETRY' || report.unrecorded !== undefined || report.requeue
      return report
    } finally {
      await this.#giveBack(unique, running, again)
    }
  }

  #uniqueRun(running: Running, control?: JobControl): UniqueRun | undefined {
    const { uniqueKeys, ambient } = this.#services
    return UniqueRun.of(running, uniqueKeys, ambient, control)
  }

  async #giveBack(unique: UniqueRun, { meta }: Running, again: boolean): Promise<void> {
    await unique.end(again).catch((error: unknown) =>
      // Its time is short, and nobody else can be harmed.
      this.#services.log.warn('the key of a unique task could not be given back', {
        task: meta.task,
        id: meta.id,
        reason: error instanceof Error ? error.message : String(error),
      }),
    )
  }

  async #executeOne(
    running: Running,
    runnable: Runnable,
    control: JobControl,
    unique?: UniqueRun,
  ): Promise<ExecutionReport> {
    const { meta } = running
    const { signals } = this.#services
    const context = new RunningContext(running, runnable, control, this.#contexts)
    const children = runnable.options.trail === false ? [] : running.children
    const execution: Execution = { context, children }
    if (signals.has('taskPrerun')) {
      const { args, kwargs } = running.payload
      const { request } = context
      signals.emit('taskPrerun', { id: meta.id, task: meta.task, args, kwargs, request })
    }
    const ended = await this.#run(running, runnable, control, execution, unique)
    await this.#tell(ended, execution, runnable)
    return ended.report
  }

  /** Hooks and signals, once the end is recorded. */
  async #tell({ report, value }: Ended, execution: Execution, runnable: Runnable): Promise<void> {
    const { signals, log, ambient, config } = this.#services
    const { context } = execution
    const { state, id, task } = report
    if (report.unrecorded === undefined) {
      if (state === 'SUCCESS') {
        if (signals.has('taskSuccess')) signals.emit('taskSuccess', { id, task, result: value })
      } else if (state === 'RETRY') {
        if (signals.has('taskRetry'))
          signals.emit('taskRetry', { request: context.request, reason: value })
      } else if (state === 'FAILURE' && signals.has('taskFailure')) {
        signals.emit('taskFailure', { id, task, error: value, request: context.request })
      }
      if (
        hasHooks(runnable.options) &&
        (state === 'SUCCESS' || state === 'RETRY' || state === 'FAILURE')
      ) {
        // The task's own limit ended with the task; each of these has it anew.
        const { timeLimit = config.taskTimeLimit } = runnable.options
        const seconds = context.request.timeLimit[0] ?? timeLimit
        const limited: Limited = (call) => atMost(ambient.clock, seconds, call)
        await callHooks(runnable.options, execution, { state, value }, log, limited)
      }
    }
    if (signals.has('taskPostrun'))
      signals.emit('taskPostrun', {
        report,
        request: context.request,
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
    const report = await this.#endings.failure(running, error, false, state)
    // It may never have begun: others must not wait for its key.
    const unique = this.#uniqueRun(running)
    if (unique) await this.#giveBack(unique, running, report.unrecorded !== undefined)
    return report
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
    unique: UniqueRun | undefined,
  ): Promise<Ended> {
    const { config } = this.#services
    let value: unknown
    try {
      if (runnable.options.trackStarted ?? config.taskTrackStarted) {
        const { hostname } = running.job
        if (this.#endings.stores(running, 'STARTED'))
          await this.#endings.store(running, 'STARTED', { pid: process.pid, hostname })
      }
      value = await this.#call(running, runnable, execution)
      if (!control.finish()) return { report: this.#endings.abandoned(running), value }
      // Before anybody can know of the end: who does may send the next one at once.
      if (unique) await this.#giveBack(unique, running, false)
      return { report: await this.#endings.success(running, value), value }
    } catch (thrown) {
      if (!control.finish()) return { report: this.#endings.abandoned(running), value: thrown }
      if (thrown instanceof Unrecorded)
        return { report: this.#endings.unrecorded(running, thrown), value: thrown }
      const means = this.#meaning(running, runnable, thrown)
      const comesAgain = means.kind === 'retry' || (means.kind === 'reject' && means.requeue)
      if (unique && !comesAgain) await this.#giveBack(unique, running, false)
      const report = await this.#endings.thrown(running, means)
      return {
        report,
        value: means.kind === 'retry' ? (means.retry.options.cause ?? thrown) : thrown,
      }
    }
  }

  /** What decides over errors may throw itself (a test in `throws`, say): then the error is a plain failure. */
  #meaning(running: Running, { options }: Runnable, thrown: unknown): Thrown {
    const { config, ambient, log } = this.#services
    const attempt = attemptOf(running)
    try {
      return classify(thrown, attempt, options, ambient.random, config.taskAutoretryBackoff)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      log.error('what an error means could not be decided', { ...attempt, reason })
      return { kind: 'failure', error: thrown, expected: false }
    }
  }

  async #call(running: Running, runnable: Runnable, execution: Execution): Promise<unknown> {
    const { payload, meta } = running
    const { context } = execution
    const { before, args: schema, result, redact } = runnable.options
    const bound = bindArguments(meta.task, runnable.params, payload.args, payload.kwargs)
    const args = schema ? await checkedArguments(meta.task, schema, bound, redact) : bound
    const value = await within(execution, async () => {
      if (before) await before.call(context, context.request)
      return await runnable.run.apply(context, args)
    })
    return result ? await checkedResult(meta.task, result, value, redact) : value
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
