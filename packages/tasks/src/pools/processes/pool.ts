/**
 * Child processes, one job each at a time: a task that blocks, leaks or crashes harms nobody else, and can
 * be stopped by force. Children are replaced after a number of jobs or above a size, and when they die.
 */
import { TasksError } from '../../kernel/errors.ts'
import type { ExecutionPool, Job, JobEvents, PoolInfo, PoolOptions } from '../../pool/pool.ts'
import { WorkerProcess } from './worker-process.ts'

/** Pauses between attempts to replace a child that cannot start, so that a broken app does not storm. */
const restartPauseMs = { first: 100, longest: 10_000 }

export class ProcessPool implements ExecutionPool {
  readonly name = 'processes'
  readonly #options: PoolOptions
  readonly #children = new Set<WorkerProcess>()
  readonly #idle: WorkerProcess[] = []
  readonly #waiting: { job: Job; events: JobEvents }[] = []
  #target: number
  #stopping = false
  #restartPauseMs: number = restartPauseMs.first
  #onIdle: (() => void)[] = []

  constructor(options: PoolOptions) {
    if (options.app.module === undefined) {
      throw new TasksError(
        'TASKS_POOL_FAILED',
        "the pool 'processes' must know where the app is, for its children to load it: give the app `module: import.meta.url`, start it with `celeriac -A`, or take the pool 'async'",
      )
    }
    this.#options = options
    this.#target = options.concurrency
  }

  get size(): number {
    return this.#target
  }

  async start(): Promise<void> {
    const started = Array.from({ length: this.#target }, () => this.#spawn())
    try {
      await Promise.all(started.map((child) => child.ready))
    } catch (error) {
      await this.terminate()
      throw error
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true
    if (this.#busy > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve))
    for (const child of this.#children) child.leave()
    await Promise.all([...this.#children].map((child) => child.exited))
  }

  async terminate(): Promise<void> {
    this.#stopping = true
    const waiting = this.#waiting.splice(0)
    const children = [...this.#children]
    for (const child of children) child.terminate('SIGKILL')
    for (const { events } of waiting) events.onEnd({ kind: 'terminated', signal: 'SIGKILL' })
    await Promise.all(children.map((child) => child.exited))
  }

  submit(job: Job, events: JobEvents): void {
    const child = this.#nextIdle()
    if (child) child.run(job, events)
    else this.#waiting.push({ job, events })
  }

  terminateJob(id: string, signal: string): boolean {
    for (const child of this.#children) {
      if (child.jobId !== id) continue
      child.terminate(signal)
      return true
    }
    return false
  }

  async resize(by: number): Promise<number> {
    this.#target = Math.max(1, this.#target + by)
    const grown: WorkerProcess[] = []
    while (this.#children.size < this.#target) grown.push(this.#spawn())
    await Promise.all(grown.map((child) => child.ready))
    // Only idle ones leave; a running task is never a victim.
    while (this.#children.size > this.#target) {
      const child = this.#nextIdle()
      if (!child) break
      this.#children.delete(child)
      child.leave()
    }
    return this.#target
  }

  info(): PoolInfo {
    return {
      implementation: 'celeriac:processes',
      maxConcurrency: this.#target,
      processes: [...this.#children].map((child) => child.pid),
      running: this.#busy,
      maxTasksPerChild: this.#options.maxTasksPerChild,
    }
  }

  get #busy(): number {
    let busy = this.#waiting.length
    for (const child of this.#children) if (child.jobId !== undefined) busy++
    return busy
  }

  #nextIdle(): WorkerProcess | undefined {
    for (;;) {
      const child = this.#idle.shift()
      if (!child || child.isIdle) return child
    }
  }

  #spawn(): WorkerProcess {
    const child = new WorkerProcess(this.#options, (idle) => this.#onChildIdle(idle))
    this.#children.add(child)
    child.ready.then(
      () => {
        this.#restartPauseMs = restartPauseMs.first
        this.#offer(child)
      },
      (error: unknown) => {
        this.#options.onWarning('a child process could not start', {
          reason: (error as Error).message,
        })
      },
    )
    void child.exited.then(({ code, signal }) => {
      const planned = !this.#children.delete(child)
      if (planned || this.#stopping) return this.#checkIdle()
      if (code !== 0) {
        this.#options.onWarning('a child process ended and is replaced', { code, signal })
      }
      this.#replace(child.done > 0)
    })
    return child
  }

  #replace(worked: boolean): void {
    if (worked) {
      this.#spawn()
      return
    }
    setTimeout(() => {
      if (!this.#stopping && this.#children.size < this.#target) this.#spawn()
    }, this.#restartPauseMs)
    this.#restartPauseMs = Math.min(this.#restartPauseMs * 2, restartPauseMs.longest)
  }

  #onChildIdle(child: WorkerProcess): void {
    const { maxTasksPerChild = Infinity, maxMemoryPerChildKib = Infinity } = this.#options
    const worn = child.done >= maxTasksPerChild || child.memoryKib > maxMemoryPerChildKib
    if (worn || this.#children.size > this.#target) {
      this.#children.delete(child)
      child.leave()
      if (worn && !this.#stopping && this.#children.size < this.#target) this.#spawn()
    } else this.#offer(child)
    this.#checkIdle()
  }

  #offer(child: WorkerProcess): void {
    // Killed as it finished or got ready: its exit is on the way, and would take a job with it.
    if (!child.isIdle) return
    const next = this.#waiting.shift()
    if (next) child.run(next.job, next.events)
    else this.#idle.push(child)
  }

  #checkIdle(): void {
    if (this.#busy > 0) return
    for (const resolve of this.#onIdle.splice(0)) resolve()
  }
}
