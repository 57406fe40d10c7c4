/**
 * What becomes of each delivery: decode its headers, decide, and act: run it, hold it for its hour, or put
 * it aside. The body stays encoded until the task runs.
 */
import { systemClock, type Delivery } from '@celeriac/messaging'
import { sleep } from '@celeriac/messaging/internal'
import { NotRegistered, TaskRevokedError, WorkerLostError } from '../../kernel/errors.ts'
import type { JobMessage } from '../../kernel/job.ts'
import type { ExecutionReport } from '../../kernel/report.ts'
import type { Job } from '../../pool/pool.ts'
import { decodeMeta, decodeProtocol1, type MetaResult } from '../../protocol/decode.ts'
import type { TaskMeta } from '../../protocol/task-message.ts'
import type { RunOptions } from '../../execution/runnable.ts'
import { Request } from '../request.ts'
import { decide, type Facts } from '../strategy/decide.ts'

export interface IntakeServices {
  readonly hostname: string
  readonly maxDeliveries: number
  readonly defaults: {
    readonly acksLate: boolean
    readonly acksOnFailure: boolean
    readonly acksOnTimeout: boolean
    readonly againWhenLost: boolean
    readonly timeLimit: number | undefined
    readonly softTimeLimit: number | undefined
  }
  nowMs(): number
  find(task: string): { readonly options: RunOptions } | undefined
  suggest(task: string): string
  isRevoked(id: string): boolean
  /** Failed deliveries of this id that only this worker knows of. */
  localAttempts(id: string): number
  /** The request that runs under this id, if any. */
  running(id: string): Request | undefined

  run(request: Request): void
  hold(delivery: Delivery, meta: TaskMeta, untilMs: number): void
  /** Records the end of a task that is not run; never rejects. */
  fail(job: JobMessage, error: Error, state: 'FAILURE' | 'REVOKED'): Promise<ExecutionReport>
  park(
    delivery: Delivery,
    reason: string,
    detail: string,
    meta: TaskMeta | undefined,
  ): Promise<void>
  onReceived(meta: TaskMeta): void
  onRevoked(meta: TaskMeta, why: 'revoked' | 'expired'): void
  onTrouble(what: string, error: unknown): void
}

/** Pause before a message that could neither be run nor put aside comes again. */
const againPauseMs = 1000

export class Intake {
  readonly #services: IntakeServices

  constructor(services: IntakeServices) {
    this.#services = services
  }

  readonly take = (deliveries: readonly Delivery[]): void => {
    for (const delivery of deliveries) this.#takeOne(delivery)
  }

  #takeOne(delivery: Delivery): void {
    const { message, origin } = delivery
    let found: MetaResult = decodeMeta(message.headers, message.properties)
    if (!found.ok && found.reason === 'no-task') found = this.#oldProtocol(delivery)
    if (!found.ok)
      return this.#act(
        delivery,
        this.#services.park(delivery, found.reason, found.detail, undefined),
      )
    const { meta } = found
    const running = this.#services.running(meta.id)
    if (running && origin.redelivered && running.meta.retries === meta.retries)
      return running.adopt(delivery)
    const facts: Facts = {
      nowMs: this.#services.nowMs(),
      attempts: Math.max(origin.attempts, this.#services.localAttempts(meta.id)),
      maxDeliveries: this.#services.maxDeliveries,
      isRevoked: this.#services.isRevoked,
    }
    const decision = decide(meta, facts)
    switch (decision.kind) {
      case 'run':
        return this.#run(meta, delivery)
      case 'hold':
        return this.#services.hold(delivery, meta, decision.untilMs)
      case 'drop':
        return this.#act(delivery, this.#drop(meta, delivery, decision.why))
      case 'park':
        return this.#act(delivery, this.#parkDeadly(meta, delivery, facts.attempts))
    }
  }

  #run(meta: TaskMeta, delivery: Delivery): void {
    const runnable = this.#services.find(meta.task)
    if (!runnable) return this.#act(delivery, this.#parkUnknown(meta, delivery))
    const { options } = runnable
    const { defaults } = this.#services
    const soft = meta.softLimit ?? options.softTimeLimit ?? defaults.softTimeLimit
    const hard = meta.hardLimit ?? options.timeLimit ?? defaults.timeLimit
    const job: Job = {
      id: meta.id,
      task: meta.task,
      message: this.#jobMessage(delivery),
      softLimitMs: soft === undefined ? undefined : soft * 1000,
      hardLimitMs: hard === undefined ? undefined : hard * 1000,
    }
    this.#services.onReceived(meta)
    this.#services.run(
      new Request(meta, delivery, job, {
        late: options.acksLate ?? defaults.acksLate,
        onFailure:
          options.acksOnFailure ?? options.acksOnFailureOrTimeout ?? defaults.acksOnFailure,
        onTimeout:
          options.acksOnTimeout ?? options.acksOnFailureOrTimeout ?? defaults.acksOnTimeout,
        againWhenLost: options.rejectOnWorkerLost ?? defaults.againWhenLost,
      }),
    )
  }

  #jobMessage({ message, origin }: Delivery): JobMessage {
    const { exchange, routingKey, queue, redelivered, attempts } = origin
    return {
      headers: message.headers,
      properties: message.properties as JobMessage['properties'],
      body: message.body,
      delivery: { exchange, routingKey, queue, redelivered, attempts },
      hostname: this.#services.hostname,
    }
  }

  #oldProtocol(delivery: Delivery): MetaResult {
    let body: unknown
    try {
      body = delivery.value
    } catch (error) {
      return { ok: false, reason: 'bad-body', detail: (error as Error).message }
    }
    return decodeProtocol1(body, delivery.message.properties)
  }

  async #drop(meta: TaskMeta, delivery: Delivery, why: 'revoked' | 'expired'): Promise<void> {
    const error = new TaskRevokedError(why)
    const report = await this.#services.fail(this.#jobMessage(delivery), error, 'REVOKED')
    this.#services.onRevoked(meta, why)
    await delivery.settle(report.unrecorded === undefined ? 'ack' : 'restore')
  }

  /** Nobody here knows the task: whoever waits is told, and the message is kept for who does. */
  async #parkUnknown(meta: TaskMeta, delivery: Delivery): Promise<void> {
    const error = new NotRegistered(meta.task, this.#services.suggest(meta.task))
    await this.#services.fail(this.#jobMessage(delivery), error, 'FAILURE')
    await this.#services.park(delivery, 'unknown-task', error.message, meta)
  }

  async #parkDeadly(meta: TaskMeta, delivery: Delivery, attempts: number): Promise<void> {
    const error = new WorkerLostError(
      `delivered ${attempts} times, and each time the process that ran it was lost`,
    )
    await this.#services.fail(this.#jobMessage(delivery), error, 'FAILURE')
    await this.#services.park(delivery, 'too-many-deliveries', error.message, meta)
  }

  #act(delivery: Delivery, work: Promise<void>): void {
    work
      .catch(async (error: unknown) => {
        this.#services.onTrouble('a message could not be settled', error)
        // Where the channel is gone the broker has it again, and this does nothing. Where it is not, the
        // message must come again instead of keeping its place in the window.
        await sleep(systemClock, againPauseMs, undefined, { background: true })
        if (!delivery.isSettled) await delivery.settle('restore')
      })
      .catch(() => undefined)
  }
}
