/**
 * The ends a run can have, each recorded with everything that follows from it: a value, a failure, another
 * attempt, a replacement. What could not be recorded is said in the report, for the message comes again then.
 */
import type { Ambient, Logger } from '@celeriac/messaging'
import { replacement, retryCall, taskTree, type Finished, type Signature } from '../canvas/index.ts'
import type { Plan, RetryChange } from '../canvas/index.ts'
import type { Declared, Sending } from '../client/outbox.ts'
import { inheritPriority } from '../client/priority.ts'
import type { Config } from '../config/options.ts'
import { describe } from '../kernel/describe.ts'
import { InvalidTaskError, type Retry } from '../kernel/errors.ts'
import type { ExecutionReport } from '../kernel/report.ts'
import { encodeFailure } from '../protocol/failures.ts'
import type { Thrown } from './classify.ts'
import type { Follower } from './follow.ts'
import type { Recorder } from './record.ts'
import { redactionOf } from './redact.ts'
import { emptyReport, recordOf, requestOf, storesState, type Running } from './running.ts'
import { orUnrecorded, Unrecorded } from './unrecorded.ts'

export interface EndingServices {
  readonly ambient: Ambient
  readonly config: Config
  readonly outbox: Sending
  readonly recorder: Recorder
  readonly log: Logger
  readonly replyTo: string
  /** What messages of a task get from its declaration. */
  readonly declared: (task: string) => Declared | undefined
  /** Results are kept whatever tasks and messages say: those of eager runs. */
  readonly keepsAll?: boolean
}

export class Endings {
  readonly #services: EndingServices
  readonly #follower: Follower

  constructor(services: EndingServices, follower: Follower) {
    this.#services = services
    this.#follower = follower
  }

  async success(running: Running, value: unknown): Promise<ExecutionReport> {
    const { meta, payload } = running
    const finished: Finished = { meta, payload, outcome: { kind: 'success', value } }
    // A value that cannot be carried fails the task; only an outage brings the message back.
    await orUnrecorded(async () => {
      const decided = this.#follower.next(finished)
      await this.#follower.before(decided)
      if (running.runnable?.options.trail !== false) running.children.push(...decided.children)
      if (this.stores(running, 'SUCCESS')) await this.store(running, 'SUCCESS', value)
      await this.#follower.after(decided, value)
    })
    return { ...this.report(running), state: 'SUCCESS', summary: this.#summary(running, value) }
  }

  #summary({ runnable, payload }: Running, value: unknown): string {
    const maxLength = runnable?.options.resultReprMaxsize
    if (redactionOf(runnable, payload)?.result) return "'***'"
    if (value === undefined) return 'None'
    return maxLength === undefined ? describe(value) : describe(value, { maxLength })
  }

  async thrown(running: Running, means: Thrown): Promise<ExecutionReport> {
    switch (means.kind) {
      case 'failure':
        return await this.failure(running, means.error, means.expected)
      case 'retry':
        return await this.retry(running, means.retry)
      case 'replace':
        return await this.replaced(running, means.signature)
      case 'ignore':
        return { ...this.report(running), state: 'IGNORED', summary: 'ignored' }
      case 'reject': {
        const { summary } = encodeFailure(means.reason)
        return { ...this.report(running), state: 'REJECTED', requeue: means.requeue, summary }
      }
    }
  }

  async failure(
    running: Running,
    error: unknown,
    expected: boolean,
    state: 'FAILURE' | 'REVOKED' = 'FAILURE',
  ): Promise<ExecutionReport> {
    const failure = encodeFailure(error)
    const { exception, traceback, summary } = failure
    const { meta, payload } = running
    const finished: Finished = { meta, payload, outcome: { kind: 'failure', exception } }
    const report = {
      ...this.report(running),
      state: 'FAILURE' as const,
      summary,
      errorType: exception.exc_type,
      traceback,
      expected,
      invalid: error instanceof InvalidTaskError ? error.message : undefined,
    }
    try {
      await orUnrecorded(async () => {
        if (this.stores(running, state)) await this.store(running, state, exception, traceback)
        const decided = this.#follower.next(finished)
        await this.#follower.afterFailure(decided, state, failure, requestOf(running))
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

  async retry(running: Running, retry: Retry): Promise<ExecutionReport> {
    const { options } = retry
    const { exception, traceback, summary } = encodeFailure(options.cause ?? retry)
    const countdown = options.countdown ?? 0
    const report = {
      ...this.report(running),
      state: 'RETRY' as const,
      summary,
      errorType: exception.exc_type,
      traceback,
      retryAtMs: options.eta?.getTime() ?? this.#services.ambient.clock.now() + countdown * 1000,
    }
    try {
      await orUnrecorded(async () => {
        if (this.stores(running, 'RETRY')) await this.store(running, 'RETRY', exception, traceback)
        await this.sendAgain(running, {
          ...(options.eta ? { eta: options.eta } : { countdown }),
          args: options.args,
          kwargs: options.kwargs,
          options: options.options,
        })
      })
      return report
    } catch (thrown) {
      if (thrown instanceof Unrecorded) return { ...report, unrecorded: thrown.message }
      // New arguments that cannot be sent: trying again will not help.
      return await this.failure(running, thrown, false)
    }
  }

  /** The same task once more, back to where it came from, as Celery does, unless the change says otherwise. */
  async sendAgain(running: Running, change: RetryChange, retries?: number): Promise<void> {
    const { meta, payload, job } = running
    const { exchange, routingKey, queue } = job.delivery
    const back = exchange === '' ? { queue: queue || routingKey } : { exchange, routingKey }
    const call = retryCall(
      meta,
      payload,
      { ...change, options: { ...back, ...change.options } },
      { replyTo: this.#services.replyTo },
    )
    const again = retries === undefined ? call : { ...call, retries }
    const plan = { send: [again], countdowns: [], result: taskTree(meta.id) }
    await this.#services.outbox.send(plan)
  }

  /** What takes the place of the task has its id: nothing is stored for it here. */
  async replaced(running: Running, signature: Signature): Promise<ExecutionReport> {
    const { meta, payload } = running
    const { ambient, replyTo } = this.#services
    const report = { ...this.report(running), state: 'IGNORED' as const, summary: 'replaced' }
    try {
      await orUnrecorded(async () => {
        const context = { nextId: ambient.nextId, replyTo }
        const plan = replacement(meta, payload, signature, context)
        await this.#services.outbox.send(this.inherit(plan, meta.priority))
      })
      return report
    } catch (thrown) {
      if (thrown instanceof Unrecorded) return { ...report, unrecorded: thrown.message }
      return await this.failure(running, thrown, false)
    }
  }

  /** What follows a task of this priority, with it where the settings say so. */
  inherit(plan: Plan, priority: number | undefined): Plan {
    const { config, declared } = this.#services
    return config.taskInheritParentPriority ? inheritPriority(plan, priority, declared) : plan
  }

  stores(running: Running, state: string): boolean {
    return this.#services.keepsAll ?? storesState(running, this.#services.config, state)
  }

  async store(
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

  report({ meta, startedMs }: Running): ExecutionReport {
    const runtime = (this.#services.ambient.clock.monotonic() - startedMs) / 1000
    return { ...emptyReport, id: meta.id, task: meta.task, runtime }
  }

  /** Nobody reads it: the pool has reported the end already. */
  abandoned(running: Running): ExecutionReport {
    return { ...this.report(running), state: 'IGNORED', summary: 'given up before' }
  }

  unrecorded(running: Running, { message }: Unrecorded): ExecutionReport {
    return { ...this.report(running), summary: message, unrecorded: message }
  }
}
