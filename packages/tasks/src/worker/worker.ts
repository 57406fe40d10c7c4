/**
 * A running worker: one consumer, one pool, and the requests between them. Starts in the order broker,
 * pool, consumer; stops in reverse. Every part survives a lost link by itself.
 */
import type { Consumer, Delivery } from '@celeriac/messaging'
import { Signals, sleep } from '@celeriac/messaging/internal'
import {
  TasksError,
  TaskRevokedError,
  TimeLimitExceeded,
  WorkerLostError,
} from '../kernel/errors.ts'
import type { ExecutionReport } from '../kernel/report.ts'
import type { WorkerSignals } from '../kernel/signals.ts'
import type { ExecutionPool, JobEnd } from '../pool/pool.ts'
import type { TaskMeta } from '../protocol/task-message.ts'
import { aborted } from '../kernel/aborted.ts'
import { Intake } from './consumer/intake.ts'
import { Holds } from './holds.ts'
import { park, parkedQueue } from './parking.ts'
import type { Request } from './request.ts'
import { Revoked } from './revoked.ts'
import { tellEnd, type WorkerServices } from './services.ts'

export type { WorkerServices } from './services.ts'

export type WorkerState = 'idle' | 'starting' | 'running' | 'stopping' | 'stopped'

/** Pause before a message whose end could not be recorded or put aside is handed back. */
const againPauseMs = 1000
/** What may still be recorded and parked at the end gets this long. */
const settleLimitMs = 5000
/** Most ids whose lost processes are counted here. */
const countedIds = 10_000

export class Worker {
  readonly signals: Signals<WorkerSignals>
  readonly hostname: string
  readonly revoked: Revoked
  readonly #services: WorkerServices
  readonly #intake: Intake
  readonly #holds: Holds
  readonly #running = new Map<string, Request>()
  /** How often a process died with this id, as far as this worker has seen. */
  readonly #lost = new Map<string, number>()
  readonly #total = new Map<string, number>()
  readonly #stopSignal = new AbortController()
  #consumer: Consumer | undefined
  #holdsAtBroker = false
  #prefetch = 0
  #state: WorkerState = 'idle'
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  #idle: (() => void)[] = []
  /** Work on messages that are not running any more: recording, parking. */
  #pending = 0

  constructor(services: WorkerServices) {
    this.#services = services
    this.signals = new Signals(undefined, services.signals)
    this.hostname = services.hostname
    const { clock } = services.connection.ambient
    this.revoked = new Revoked(clock)
    this.#holds = new Holds(clock, (due) => this.#onDue(due))
    const { config, executor } = services
    this.#intake = new Intake({
      hostname: services.hostname,
      maxDeliveries: config.taskMaxDeliveries === 0 ? Infinity : config.taskMaxDeliveries,
      defaults: {
        acksLate: config.taskAcksLate,
        acksOnFailure: config.taskAcksOnFailure ?? config.taskAcksOnFailureOrTimeout,
        acksOnTimeout: config.taskAcksOnTimeout ?? config.taskAcksOnFailureOrTimeout,
        againWhenLost: config.taskRejectOnWorkerLost,
        timeLimit: config.taskTimeLimit,
        softTimeLimit: config.taskSoftTimeLimit,
      },
      nowMs: () => clock.now(),
      find: services.find,
      suggest: services.suggest,
      isRevoked: (id) => this.revoked.has(id),
      localAttempts: (id) => this.#lost.get(id) ?? 0,
      running: (id) => this.#running.get(id),
      run: (request) => this.#run(request),
      hold: (delivery, meta, untilMs) => this.#hold(delivery, meta, untilMs),
      fail: (job, error, state) => this.#track(executor.fail(job, error, state)),
      park: (delivery, reason, detail, meta) =>
        this.#track(this.#park(delivery, reason, detail, meta)),
      onReceived: (meta) => this.#onReceived(meta),
      onRevoked: ({ id, task }, why) => this.signals.emit('taskRevoked', { id, task, why }),
      onTrouble: (what, error) => this.#warn(what, error),
    })
  }

  get state(): WorkerState {
    return this.#state
  }

  /** Tasks that run now. */
  get active(): readonly Request[] {
    return [...this.#running.values()]
  }

  /** Messages held here for their hour. */
  get held(): number {
    return this.#holds.size
  }

  /** Tasks accepted since the start, by name. */
  get totals(): ReadonlyMap<string, number> {
    return this.#total
  }

  get pool(): ExecutionPool {
    return this.#services.pool
  }

  get isReady(): boolean {
    return this.#state === 'running' && (this.#consumer?.isReady ?? false)
  }

  /** Resolves when tasks are being consumed; rejects when the pool or the broker refuses for good. */
  start(): Promise<void> {
    return (this.#starting ??= this.#start())
  }

  /**
   * Warm: takes nothing more, hands back what has not begun, waits for the running tasks at most
   * `graceSeconds` (0: for ever), then ends them by force and hands them back too. Safe to call twice.
   */
  stop(graceSeconds: number = this.#services.config.workerShutdownGrace): Promise<void> {
    return (this.#stopping ??= this.#stop(graceSeconds))
  }

  /** Cold: ends running tasks by force; their messages go back. Also cuts a warm stop short. */
  async terminate(): Promise<void> {
    this.#stopSignal.abort()
    await this.stop(0.001)
  }

  /** Makes sure that the id is not run (any more); with `terminate` also when it runs already. */
  revoke(id: string, options: { terminate?: boolean; signal?: string } = {}): boolean {
    this.revoked.add(id)
    const request = this.#running.get(id)
    if (!request || !options.terminate) return false
    return this.#services.pool.terminateJob(id, options.signal ?? 'SIGTERM')
  }

  async #start(): Promise<void> {
    if (this.#stopping) throw new TasksError('TASKS_STOPPED', 'this worker was stopped')
    this.#state = 'starting'
    this.signals.emit('workerInit', { hostname: this.hostname })
    const { connection, pool, queues, config } = this.#services
    this.#holdsAtBroker = (await connection.capabilities()).delay
    await pool.start()
    if (this.#stopping) return
    this.#prefetch = config.workerDisablePrefetch
      ? pool.size
      : pool.size * config.workerPrefetchMultiplier
    const consumer = connection.consumer({
      queues,
      prefetch: this.#prefetch,
      onDeliveries: this.#intake.take,
    })
    this.#consumer = consumer
    consumer.signals.on('ready', (ready) => this.signals.emit('consumerReady', ready))
    consumer.signals.on('interrupted', ({ error }) => {
      // Of the dead channel: the broker has them again, or keeps them and must be told.
      for (const delivery of this.#holds.drain()) this.#quietly(delivery.settle('restore'))
      this.signals.emit('consumerInterrupted', { error })
    })
    try {
      await consumer.start()
    } catch (error) {
      await pool.terminate()
      throw error
    }
    if (this.#stopping) return
    this.#state = 'running'
    this.signals.emit('workerReady', { hostname: this.hostname })
  }

  async #stop(graceSeconds: number): Promise<void> {
    const { pool, connection } = this.#services
    const { clock } = connection.ambient
    const wasStarting = this.#state === 'starting'
    this.#state = 'stopping'
    this.signals.emit('workerStopping', { how: this.#stopSignal.signal.aborted ? 'cold' : 'warm' })
    // It has consumed nothing yet; waiting for the broker would be waiting for ever.
    if (wasStarting) await this.#consumer?.stop()
    await this.#starting?.catch(() => undefined)
    await this.#consumer?.cancel()
    for (const delivery of this.#holds.drain()) this.#quietly(delivery.settle('restore'))
    const over = new AbortController()
    const grace =
      graceSeconds > 0
        ? sleep(clock, graceSeconds * 1000, AbortSignal.any([this.#stopSignal.signal, over.signal]))
        : aborted(this.#stopSignal.signal)
    await Promise.race([this.#whenIdle(), grace])
    if (this.#running.size > 0) await pool.terminate()
    await Promise.race([this.#whenIdle(), sleep(clock, settleLimitMs, over.signal)])
    await this.#consumer?.stop()
    // What still cannot be recorded (the store of results may be away) has its message handed out again.
    const isStuck = this.#running.size > 0
    await Promise.race([pool.stop(), ...(isStuck ? [sleep(clock, againPauseMs, over.signal)] : [])])
    over.abort()
    this.#state = 'stopped'
    this.signals.emit('workerStopped', {})
  }

  #whenIdle(): Promise<void> {
    if (this.#running.size + this.#pending === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #checkIdle(): void {
    if (this.#running.size + this.#pending > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#pending++
    try {
      return await work
    } finally {
      this.#pending--
      this.#checkIdle()
    }
  }

  #onReceived({ id, task }: TaskMeta): void {
    if (this.signals.has('taskReceived')) this.signals.emit('taskReceived', { id, task })
  }

  #run(request: Request): void {
    const { meta, job, acknowledgement } = request
    const { clock } = this.#services.connection.ambient
    this.#running.set(meta.id, request)
    this.#services.pool.submit(job, {
      onAccepted: (pid) => {
        request.pid = pid
        request.startedMs = clock.now()
        this.#total.set(meta.task, (this.#total.get(meta.task) ?? 0) + 1)
        if (!acknowledgement.late) this.#quietly(request.settle('ack'))
        if (this.signals.has('taskStarted'))
          this.signals.emit('taskStarted', { id: meta.id, task: meta.task, pid })
      },
      onEnd: (end) => this.#onEnd(request, end),
    })
  }

  #onEnd(request: Request, end: JobEnd): void {
    if (end.kind === 'ran') return this.#onReport(request, end.report)
    const ending =
      end.kind === 'lost'
        ? this.#onLost(request, end.why)
        : end.kind === 'timeLimit'
          ? this.#onFailed(request, new TimeLimitExceeded(end.seconds))
          : this.#onTerminated(request)
    this.#track(ending).then(
      () => this.#forget(request),
      (error: unknown) => this.#again(request, 'the end of a task could not be recorded', error),
    )
  }

  /** Its message comes again, after a pause: what is in the way may be gone by then. */
  #again(request: Request, what: string, error: unknown): void {
    this.#warn(what, error)
    const { clock } = this.#services.connection.ambient
    void sleep(clock, againPauseMs, this.#stopSignal.signal)
      .then(() => request.settle('restore'))
      .catch(() => undefined)
      .finally(() => this.#forget(request))
  }

  #onReport(request: Request, report: ExecutionReport): void {
    if (report.unrecorded !== undefined) {
      const what = 'the outcome of a task could not be recorded, it will be run again'
      return this.#again(request, what, report.unrecorded)
    }
    this.#forget(request)
    tellEnd(this.signals, report)
    const isRejected = report.state === 'REJECTED'
    if (report.invalid !== undefined || (isRejected && !report.requeue)) {
      this.#reject(request, report).catch((error: unknown) =>
        this.#again(request, 'a rejected message could not be put aside', error),
      )
    } else if (isRejected) this.#quietly(request.settle('requeue'))
    else if (report.state === 'FAILURE' && !request.acknowledgement.onFailure)
      this.#quietly(request.settle('drop'))
    else this.#quietly(request.settle('ack'))
  }

  /** A queue with a dead-letter exchange gets the message back as rejected; others have it parked. */
  async #reject(request: Request, { invalid, summary }: ExecutionReport): Promise<void> {
    const { delivery, meta } = request
    if (delivery.isSettled) return
    const queue = this.#services.queues.find(({ name }) => name === delivery.origin.queue)
    const why = invalid === undefined ? 'rejected' : 'invalid-arguments'
    if (queue?.arguments['x-dead-letter-exchange'] !== undefined) await delivery.drop()
    else await this.#track(this.#park(delivery, why, invalid ?? summary, meta))
  }

  async #onLost(request: Request, why: string): Promise<void> {
    const { meta, delivery, acknowledgement } = request
    const attempts = Math.max(delivery.origin.attempts, this.#lost.get(meta.id) ?? 0) + 1
    if (this.#lost.size >= countedIds) this.#lost.delete(this.#lost.keys().next().value!)
    this.#lost.set(meta.id, attempts)
    const limit = this.#services.config.taskMaxDeliveries
    const again =
      acknowledgement.againWhenLost && !delivery.isSettled && (limit === 0 || attempts < limit)
    this.signals.emit('taskLost', { id: meta.id, task: meta.task, why, again })
    if (again) return await request.settle('requeue')
    const error = new WorkerLostError(why)
    const report = await this.#services.executor.fail(request.job.message, error)
    this.signals.emit('taskEnded', { report })
    this.#lost.delete(meta.id)
    if (delivery.isSettled) return
    if (acknowledgement.againWhenLost) await this.#park(delivery, 'too-many-deliveries', why, meta)
    else await request.settle('ack')
  }

  async #onFailed(request: Request, error: Error): Promise<void> {
    const report = await this.#services.executor.fail(request.job.message, error)
    this.signals.emit('taskEnded', { report })
    if (report.unrecorded !== undefined) await request.settle('restore')
    else await request.settle(request.acknowledgement.onTimeout ? 'ack' : 'drop')
  }

  /** By force: on the way out its message goes back; otherwise somebody revoked it. */
  async #onTerminated(request: Request): Promise<void> {
    if (this.#state === 'stopping') return await request.settle('restore')
    const { meta, job } = request
    const error = new TaskRevokedError('terminated')
    const report = await this.#services.executor.fail(job.message, error, 'REVOKED')
    // Who waits has not been told: once more, and this time it is dropped before it runs.
    if (report.unrecorded !== undefined) throw new Error(report.unrecorded)
    this.signals.emit('taskRevoked', { id: meta.id, task: meta.task, why: 'revoked' })
    await request.settle('ack')
  }

  #forget(request: Request): void {
    if (this.#running.get(request.meta.id) === request) this.#running.delete(request.meta.id)
    this.#checkIdle()
  }

  #hold(delivery: Delivery, { id, task }: TaskMeta, untilMs: number): void {
    if (this.signals.has('taskHeld')) this.signals.emit('taskHeld', { id, task, untilMs })
    if (this.#holdsAtBroker) return this.#quietly(delivery.settle({ delayUntilMs: untilMs }))
    this.#holds.add(delivery, untilMs)
    this.#widen()
  }

  #onDue(due: Delivery[]): void {
    this.#widen()
    this.#intake.take(due)
  }

  /** What waits here must not take the place of what could run. Celery: QoS increment_eventually. */
  #widen(): void {
    if (this.#prefetch === 0) return
    this.#consumer
      ?.setPrefetch(Math.min(this.#prefetch + this.#holds.size, 65_535))
      .catch((error: unknown) => this.#warn('the prefetch could not be changed', error))
  }

  async #park(
    delivery: Delivery,
    reason: string,
    detail: string,
    meta: TaskMeta | undefined,
  ): Promise<void> {
    const { producer, connection } = this.#services
    const nowMs = connection.ambient.clock.now()
    await park(producer, delivery, { reason, detail, hostname: this.hostname, nowMs })
    if (meta && reason === 'unknown-task') {
      const { id, task } = meta
      this.signals.emit('taskUnknown', { id, task, reason: detail })
    }
    this.signals.emit('messageParked', {
      queue: delivery.origin.queue,
      parkedIn: parkedQueue,
      reason: `${reason}: ${detail}`,
      id: meta?.id,
      task: meta?.task,
    })
  }

  #quietly(settling: Promise<void>): void {
    // It fails when the channel is gone; then the broker has the message again.
    settling.catch((error: unknown) => this.#warn('a message could not be settled', error))
  }

  #warn(what: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    this.#services.log.warn(what, { reason })
  }
}
