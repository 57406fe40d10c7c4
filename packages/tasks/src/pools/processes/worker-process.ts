/** One child process of the pool: its life from fork to exit, and the one job it may be running. */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { TasksError } from '../../kernel/errors.ts'
import type { ToChild, ToParent } from '../../pool/ipc.ts'
import type { Job, JobEnd, JobEvents, PoolOptions } from '../../pool/pool.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

const entry = fileURLToPath(new URL('./child.js', import.meta.url))

export class WorkerProcess {
  /** Resolves when the process is gone. */
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  #job: { job: Job; events: JobEvents; timers: NodeJS.Timeout[]; ended?: JobEnd } | undefined
  #ready: Promise<void>
  #done = 0
  #memoryKib = 0
  #leaving = false

  constructor(options: PoolOptions, onIdle: (worker: WorkerProcess) => void) {
    this.#child = fork(entry, [], {
      // Never the parent's own flags: a test runner's or debugger's would follow into every child.
      execArgv: ['--enable-source-maps', ...options.app.execArgv],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve({ code, signal }))
      // More than one may come, and one that nobody hears ends this process.
      this.#child.on('error', () => {
        if (this.#child.pid === undefined) resolve({ code: null, signal: null })
      })
    })
    void this.exited.then((exit) => this.#onExit(exit))
    this.#ready = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(failed(`a child was not ready within ${options.startTimeoutMs} ms`))
        this.#child.kill('SIGKILL')
      }, options.startTimeoutMs)
      void this.exited.then(({ code, signal }) => {
        clearTimeout(timer)
        reject(failed(`a child ended before it was ready (${signal ?? `exit code ${code}`})`))
      })
      this.#child.on('message', (raw) => {
        const message = raw as ToParent
        if (message.kind === 'ready') {
          clearTimeout(timer)
          resolve()
        } else if (message.kind === 'failed') {
          clearTimeout(timer)
          reject(failed(`a child could not load the app: ${message.reason}`))
          this.#child.kill('SIGKILL')
        } else this.#onDone(message, onIdle)
      })
    })
    this.#ready.catch(() => undefined)
    this.#send({ kind: 'load', app: options.app })
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** Resolves when it has loaded the app; rejects with the reason when it cannot. */
  get ready(): Promise<void> {
    return this.#ready
  }

  get isIdle(): boolean {
    return this.#job === undefined && !this.#leaving
  }

  get jobId(): string | undefined {
    return this.#job?.job.id
  }

  /** Jobs it has finished. */
  get done(): number {
    return this.#done
  }

  get memoryKib(): number {
    return this.#memoryKib
  }

  run(job: Job, events: JobEvents): void {
    const timers: NodeJS.Timeout[] = []
    this.#job = { job, events, timers }
    const { softLimitMs, hardLimitMs } = job
    if (softLimitMs !== undefined) {
      const seconds = softLimitMs / 1000
      timers.push(setTimeout(() => this.#send({ kind: 'soft', id: job.id, seconds }), softLimitMs))
    }
    if (hardLimitMs !== undefined) {
      const seconds = hardLimitMs / 1000
      timers.push(setTimeout(() => this.#kill({ kind: 'timeLimit', seconds }), hardLimitMs))
    }
    events.onAccepted(this.pid)
    this.#send({ kind: 'run', id: job.id, message: job.message })
  }

  /** Ends the running job by force, and the process with it. */
  terminate(signal: string): void {
    this.#kill({ kind: 'terminated', signal })
  }

  /** No more jobs; it ends when the running one has. */
  leave(): void {
    if (this.#leaving) return
    this.#leaving = true
    this.#send({ kind: 'leave' })
  }

  #kill(ended: JobEnd): void {
    if (this.#job) this.#job.ended ??= ended
    this.#leaving = true
    this.#child.kill('SIGKILL')
  }

  #send(message: ToChild): void {
    // A child that is gone answers with its exit, which is where its job is dealt with.
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  #onDone(
    { id, report, memoryKib }: Extract<ToParent, { kind: 'done' }>,
    onIdle: (worker: WorkerProcess) => void,
  ): void {
    const current = this.#job
    if (current?.job.id !== id) return
    this.#job = undefined
    this.#done++
    this.#memoryKib = memoryKib
    for (const timer of current.timers) clearTimeout(timer)
    current.events.onEnd({ kind: 'ran', report })
    onIdle(this)
  }

  #onExit({ code, signal }: Exit): void {
    this.#leaving = true
    const current = this.#job
    this.#job = undefined
    if (!current) return
    for (const timer of current.timers) clearTimeout(timer)
    const how = signal ? `signal ${signal}` : `exit code ${code}`
    current.events.onEnd(
      current.ended ?? {
        kind: 'lost',
        exitCode: code,
        signal,
        why: `the process that ran it ended with ${how}`,
      },
    )
  }
}

function failed(why: string): TasksError {
  return new TasksError('TASKS_POOL_FAILED', why)
}
