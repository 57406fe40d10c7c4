/**
 * Runs a plan here and now, without a broker: every message is written and read as it would travel, and run by
 * the same executor, with results and joins in a store of its own. What follows a task runs after it.
 */
import type { CountingBackend } from '../backend/backend.ts'
import type { Plan, PlannedCall } from '../canvas/index.ts'
import type { Sending } from '../client/outbox.ts'
import { TasksError } from '../kernel/errors.ts'
import { StopControl, type JobControl, type JobMessage } from '../kernel/job.ts'
import type { ExecutionReport } from '../kernel/report.ts'
import { announce } from '../client/joins.ts'

type Execute = (job: JobMessage, control: JobControl) => Promise<ExecutionReport>

export interface EagerServices {
  /** The store of this run alone. */
  readonly backend: CountingBackend
  /** The message as the broker would hand it out. */
  message(call: PlannedCall): Promise<JobMessage>
  /** Makes the executor that sends what follows to `outbox`. */
  executor(outbox: Sending): Execute
}

/** Most tasks one eager run may start: a task that sends itself again for ever is an error, not a hang. */
const mostTasks = 1_000_000

export class EagerRun implements Sending {
  readonly #services: EagerServices
  readonly #execute: Execute
  readonly #waiting: PlannedCall[] = []
  readonly reports: ExecutionReport[] = []

  constructor(services: EagerServices) {
    this.#services = services
    this.#execute = services.executor(this)
  }

  /** Announces joins and puts the messages in line. */
  async send(plan: Plan): Promise<void> {
    for (const countdown of plan.countdowns) await announce(this.#services.backend, countdown)
    for (const call of plan.send) this.#waiting.push(call)
  }

  /** Runs what is in line, and what that sends, until nothing is left. */
  async run(plan: Plan): Promise<void> {
    await this.send(plan)
    for (let at = 0; at < this.#waiting.length; at++) {
      if (at >= mostTasks) {
        throw new TasksError('TASKS_FAILED', `an eager run started more than ${mostTasks} tasks`)
      }
      const job = await this.#services.message(this.#waiting[at]!)
      this.reports.push(await this.#execute(job, new StopControl()))
    }
  }
}
