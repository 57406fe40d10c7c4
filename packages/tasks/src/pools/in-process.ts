/**
 * Jobs in this process: many promises at once (`async`), or one after the other (`solo`). A job cannot be
 * stopped by force here; at its hard limit it is given up, and what it still does is ignored.
 */
import { SoftTimeLimitExceeded, Terminated } from '../kernel/errors.ts'
import { StopControl } from '../kernel/job.ts'
import type { ExecutionPool, Job, JobEnd, JobEvents, PoolInfo, PoolOptions } from '../pool/pool.ts'

interface Running {
  readonly id: string
  readonly control: StopControl
  readonly end: (end: JobEnd) => void
}

export class InProcessPool implements ExecutionPool {
  readonly name: string
  readonly #options: PoolOptions
  /** Not by id: a message that was published twice runs twice. */
  readonly #running = new Set<Running>()
  readonly #waiting: { job: Job; events: JobEvents }[] = []
  #size: number
  #idle: (() => void)[] = []

  constructor(name: string, size: number, options: PoolOptions) {
    this.name = name
    this.#size = size
    this.#options = options
  }

  get size(): number {
    return this.#size
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    if (this.#running.size + this.#waiting.length === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  async terminate(): Promise<void> {
    for (const { events } of this.#waiting.splice(0))
      events.onEnd({ kind: 'terminated', signal: 'SIGTERM' })
    for (const { id } of this.#running) this.terminateJob(id, 'SIGTERM')
  }

  submit(job: Job, events: JobEvents): void {
    if (this.#running.size >= this.#size) this.#waiting.push({ job, events })
    else this.#run(job, events)
  }

  terminateJob(id: string, signal: string): boolean {
    const running = [...this.#running].filter((one) => one.id === id)
    let found = false
    for (const { control, end } of running) {
      // One that has returned ends by itself in a moment; taking it for ended by force would run it twice.
      if (!control.abandon(new Terminated(signal))) continue
      end({ kind: 'terminated', signal })
      found = true
    }
    return found
  }

  async resize(by: number): Promise<number> {
    this.#size = Math.max(1, this.#size + by)
    this.#fill()
    return this.#size
  }

  info(): PoolInfo {
    return {
      implementation: `celeriac:${this.name}`,
      maxConcurrency: this.#size,
      processes: [process.pid],
      running: this.#running.size,
      maxTasksPerChild: undefined,
    }
  }

  #run(job: Job, events: JobEvents): void {
    const control = new StopControl()
    const timers: NodeJS.Timeout[] = []
    let ended = false
    const end = (how: JobEnd): void => {
      // What a job that was given up still says comes too late.
      if (ended) return
      ended = true
      for (const timer of timers) clearTimeout(timer)
      this.#running.delete(running)
      events.onEnd(how)
      this.#fill()
      if (this.#running.size + this.#waiting.length === 0) {
        for (const resolve of this.#idle.splice(0)) resolve()
      }
    }
    const running: Running = { id: job.id, control, end }
    this.#running.add(running)
    const { softLimitMs, hardLimitMs } = job
    if (softLimitMs !== undefined)
      timers.push(
        setTimeout(() => control.abort(new SoftTimeLimitExceeded(softLimitMs / 1000)), softLimitMs),
      )
    if (hardLimitMs !== undefined)
      timers.push(
        setTimeout(() => {
          if (control.abandon(new SoftTimeLimitExceeded(hardLimitMs / 1000)))
            end({ kind: 'timeLimit', seconds: hardLimitMs / 1000 })
        }, hardLimitMs),
      )
    events.onAccepted(process.pid)
    void this.#options.execute(job.message, control).then((report) => end({ kind: 'ran', report }))
  }

  #fill(): void {
    while (this.#waiting.length > 0 && this.#running.size < this.#size) {
      const next = this.#waiting.shift()!
      this.#run(next.job, next.events)
    }
  }
}
