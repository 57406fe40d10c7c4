/** The tasks an app knows, by name. */
import { didYouMean } from '@celeriac/messaging/internal'
import type { Runnable } from '../execution/runnable.ts'
import { NotRegistered, TasksError } from '../kernel/errors.ts'

export class Registry {
  readonly #tasks = new Map<string, Runnable>()

  /** Throws `TASKS_ALREADY_REGISTERED` when the name is taken by another task. */
  add(task: Runnable): void {
    if (this.#tasks.has(task.name)) {
      throw new TasksError(
        'TASKS_ALREADY_REGISTERED',
        `a task '${task.name}' is registered already; names are unique in an app`,
      )
    }
    this.#tasks.set(task.name, task)
  }

  find(name: string): Runnable | undefined {
    return this.#tasks.get(name)
  }

  /** Throws `NotRegistered` with a suggestion. */
  get(name: string): Runnable {
    const task = this.#tasks.get(name)
    if (!task) throw new NotRegistered(name, this.suggest(name))
    return task
  }

  suggest(name: string): string {
    return didYouMean(name, this.#tasks.keys())
  }

  get names(): readonly string[] {
    return [...this.#tasks.keys()].toSorted()
  }
}
